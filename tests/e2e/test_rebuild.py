"""`make rebuild`: what traders see is the same afterwards, and nothing is touched while the exchange runs."""

import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from local.exchange_process import ROOT, ExchangeProcess
from tests.e2e.conftest import DEPOSITS
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

DEADLINE_S = 240.0
CATCH_UP_S = 60.0


def rebuild(exchange: ExchangeProcess, source: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EXCHANGE_")}
    return subprocess.run(
        [sys.executable, "-m", "local", "rebuild", "--source", source],
        cwd=ROOT,
        env=environment | {"DATA_DIR": str(exchange.data_dir)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def seen_by(traders: list[Trader]) -> list[Any]:
    """Balances, orders, trades and ledger entries of all, as the API shows them."""
    return [
        (t.balances(), t.orders("BTCUSDT"), t.trades("BTCUSDT"), [t.ledger(asset) for asset in DEPOSITS])
        for t in traders
    ]


def place(trader: Trader, side: str, price: int) -> None:
    trader.ask(
        "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type="LIMIT", timeInForce="GTC",
        quantity="0.01", price=price,
    )  # fmt: skip


@pytest.mark.thorough
def test_rebuilt_exchange_shows_what_it_showed_and_trades_on() -> None:
    with ExchangeProcess("run") as exchange:
        traders = [Trader.sign_up(exchange.url, deposits=DEPOSITS) for _ in range(2)]
        for step in range(40):
            place(traders[step % 2], "BUY" if step % 3 else "SELL", 50_000 + step % 5)
        assert traders[0].trades("BTCUSDT")
        before = seen_by(traders)
        refused = rebuild(exchange, "log")
        assert refused.returncode == 2
        assert "belongs to an exchange that is running" in refused.stderr + refused.stdout
        assert seen_by(traders) == before
        for source in ("log", "archive"):
            exchange.stop()
            if source == "archive":
                shutil.rmtree(exchange.data_dir / "embedded" / "log")
            done = rebuild(exchange, source)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "rebuilt: seq" in done.stdout
            exchange.start()
            eventually(lambda: _equal(seen_by(traders), before), CATCH_UP_S)
        place(traders[0], "SELL", 40_000)
        for trader in traders:
            trader.close()


def _equal(found: list[Any], wanted: list[Any]) -> None:
    assert found == wanted
