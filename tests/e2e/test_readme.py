"""First orders as the documents have them: pasted into a shell and into Python, they trade."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.exchange_process import ExchangeProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
ADDRESS = "http://127.0.0.1:8080"


def first_order(language: str, document: str = "README.md", heading: str = "## First order\n") -> str:
    """The first block of this language below the heading."""
    section = (ROOT / document).read_text(encoding="utf-8").split(heading)[1]
    block = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1]


def test_first_order_trades(market: ExchangeProcess) -> None:
    """By curl and openssl, then with the same key by ccxt."""
    script = first_order("bash") + 'printf "KEYS %s %s\\n" "$API_KEY" "$SECRET"\n'
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "EXCHANGE": market.url},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    lines = shell.stdout.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith(("{", "["))]
    _, deposit, resting, listed, cancelled, traded, trades, account = answers
    assert (deposit["asset"], deposit["amount"]) == ("USDT", "10000.00000000")
    assert (resting["status"], [order["orderId"] for order in listed]) == ("NEW", [resting["orderId"]])
    assert [order["status"] for order in cancelled] == ["CANCELED"]
    assert (traded["status"], traded["executedQty"]) == ("FILLED", "0.01000000")
    assert [trade["price"] for trade in trades] == ["61000.00000000"]
    balances = {row["asset"]: row["free"] for row in account["balances"]}
    assert balances == {"BTC": "0.00999000", "USDT": "9390.00000000"}

    api_key, secret = lines[-1].split()[1:]
    program = first_order("python").replace(ADDRESS, market.url)
    program = program.replace('"apiKey": "..."', f'"apiKey": "{api_key}"')
    program = program.replace('"secret": "..."', f'"secret": "{secret}"')
    python = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert python.returncode == 0, python.stderr
    book, cancelled_status, outcome = python.stdout.splitlines()
    assert book == "best bids [[59000.0, 5.0]]"
    assert cancelled_status == "canceled"
    assert outcome.startswith("closed 59000.0 {")


def test_the_first_trade_of_a_deployed_exchange_trades(
    embedded_exchange: ExchangeProcess, tmp_path: Path
) -> None:
    """docs/deploy.md, step 8; in place of `kubectl exec` stands the same command beside the exchange."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        "#!/bin/bash\n"
        '[[ "$1 $2 $3 $4 $5" == "exec -n exchange deploy/user --" ]] || exit 90\n'
        '[[ "$6 $7 $8" == "python -m services.operator" ]] || exit 91\n'
        f'exec {sys.executable} -m local operator -- "${{@:9}}"\n',
        encoding="utf-8",
    )
    kubectl.chmod(0o755)
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", first_order("bash", "docs/deploy.md", "## 8. First user")],
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "EXCHANGE": embedded_exchange.url,
            "DATA_DIR": str(embedded_exchange.data_dir),
        },
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert shell.returncode == 0, shell.stdout + shell.stderr
    resting, bought, trades = [
        json.loads(line) for line in shell.stdout.splitlines() if line.startswith(("{", "["))
    ]
    assert (resting["status"], bought["status"]) == ("NEW", "FILLED")
    assert [trade["orderId"] for trade in trades] == [bought["orderId"]]
