"""`make operator` beside a running exchange of either kind: one market is halted, and everybody notices."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.exchange_process import ExchangeProcess
from local.operating import LOG_NAME
from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
QUIET = "ETHBTC"
WAIT_S = 60.0


def operator(
    exchange: ExchangeProcess, *arguments: str, command: str = "operator"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", command, "--", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(exchange.data_dir), "PORT": str(exchange.port)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def status_of(exchange: ExchangeProcess) -> str:
    info = httpx.get(f"{exchange.url}/api/v3/exchangeInfo?symbol={QUIET}", trust_env=False).json()
    return str(info["symbols"][0]["status"])


def until_status(exchange: ExchangeProcess, wanted: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while status_of(exchange) != wanted:
        assert time.monotonic() < deadline, f"{QUIET} is {status_of(exchange)}, not {wanted}"
        time.sleep(0.05)


def bid(trader: Trader, symbol: str) -> httpx.Response:
    order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return trader.signed("POST", "/api/v3/order", **order, quantity="1", price="0.01")


@pytest.mark.thorough_for("stack")
def test_one_market_is_halted_and_reopened_from_outside(exchange: ExchangeProcess, sign_up: SignUp) -> None:
    listed = operator(exchange, "markets", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert f"{QUIET}: trading" in listed.stdout.splitlines()
    refused = operator(exchange, "markets", "halt", QUIET)
    assert refused.returncode != 0, "without a reason"
    halted = operator(exchange, "markets", "halt", QUIET, "--reason", "a test", "--who", "olga")
    assert (halted.returncode, halted.stderr) == (0, "")
    try:
        until_status(exchange, "HALT")
        trader = sign_up()
        answer = bid(trader, QUIET)
        assert (answer.status_code, answer.json()["code"]) == (400, -1013)
    finally:
        reopened = operator(exchange, "markets", "reopen", QUIET, "--reason", "a test")
    assert (reopened.returncode, reopened.stderr) == (0, "")
    until_status(exchange, "TRADING")
    assert bid(trader, QUIET).status_code == 200


@pytest.mark.thorough_for("stack")
def test_the_owner_of_a_folder_orders_over_http_with_a_session_that_lasts(exchange: ExchangeProcess) -> None:
    """Twice in one step of the code, also by the gateway of a stack: one session for both."""
    for _ in range(2):
        listed = operator(exchange, "markets", "list", command="admin")
        assert (listed.returncode, listed.stderr) == (0, "")
        assert f"{QUIET}: trading" in listed.stdout.splitlines()
    assert httpx.get(f"{exchange.url}/operator/", trust_env=False).status_code == 200
    sessions = operator(exchange, "audit-log", "operator-session").stdout
    assert sessions.count('"who":"local-') == 1
    for path in exchange.data_dir.glob("*/admin.*"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_make_run_writes_down_what_happens(
    exchange: ExchangeProcess, sign_up: SignUp, tmp_path: Path
) -> None:
    """A line for each log-in, operator's order and refused request, and for a start that was refused."""
    if exchange.mode != "run":
        pytest.skip("a stack's services have logs of their own")
    log = exchange.data_dir / "embedded" / LOG_NAME
    sign_up()
    httpx.get(f"{exchange.url}/api/v3/depth?symbol=NOWHERE", trust_env=False)
    httpx.post(f"{exchange.url}/api/v3/order", trust_env=False)
    operator(exchange, "markets", "halt", "NOWHERE", "--reason", "a test", "--who", "olga")
    again = subprocess.run(
        [sys.executable, "-m", "local", "run"],
        cwd=ROOT,
        # A folder of its own, and a port that is taken.
        env={**os.environ, "DATA_DIR": str(tmp_path), "PORT": str(exchange.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode != 0
    lines = log.read_text(encoding="utf-8").splitlines()
    assert any(": log-in of account " in line for line in lines)
    assert any("operator olga: SetMode" in line for line in lines)
    assert any('refused: GET /api/v3/depth of 127.0.0.1: 400 {"code":-1121,' in line for line in lines)
    assert any("refused: POST /api/v3/order of 127.0.0.1: 40" in line for line in lines)
    refused = (tmp_path / "embedded" / LOG_NAME).read_text(encoding="utf-8")
    assert "local.refusals: cannot go on: " in refused
    assert again.stderr.count("cannot go on: ") == 1


@pytest.mark.thorough_for("stack")
def test_the_tiers_of_the_day_are_counted_without_an_order(exchange: ExchangeProcess) -> None:
    deadline = time.monotonic() + WAIT_S
    while not re.search(
        r"tiers were counted on 20\d\d-\d\d-\d\d\n", operator(exchange, "fees", "list").stdout
    ):
        assert time.monotonic() < deadline, "the first look is at the start"
