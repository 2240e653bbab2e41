"""ccxt's own tests hold here, but for what docs/clients.md explains method by method."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import Account, Exchange
from tests.bots.ccxt_tests.running import run
from tests.bots.wheel import ROOT

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]

WAYS = {
    "synchronous": ("--sync", "--private", "--fundedTests"),
    "asynchronous": ("--private", "--fundedTests"),
    "streams": ("--ws", "--private"),
}
# What must be among the methods that hold, whatever else ccxt comes to test.
REST = {
    "loadMarkets",
    "fetchTicker",
    "fetchOHLCV",
    "fetchTrades",
    "fetchBalance",
    "fetchOrders",
    "fetchMyTrades",
}
AT_LEAST = {
    "synchronous": REST,
    "asynchronous": REST,
    "streams": {"watchTrades", "watchOHLCV", "watchTicker", "watchBalance", "watchOrders"},
}


def explained(way: str) -> dict[str, str]:
    """Method -> why it fails, from the document's table of this way."""
    text = (ROOT / "docs" / "clients.md").read_text("utf-8")
    section = text.split("## ccxt's own tests")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| (.+) \|$", section, re.MULTILINE)
    return {method: why for method, ways, why in rows if way in ways.split(", ")}


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """With money, and with a past: an order that was filled, one that was cancelled, one that waits."""
    made = exchange.account(BTC=10, ETH=100, USDT=1_000_000)
    order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
    made.request("POST", "/api/v3/order", type="MARKET", **order)
    limit = {**order, "type": "LIMIT", "timeInForce": "GTC", "price": "60000"}
    made.request("POST", "/api/v3/order", newClientOrderId="first", **limit)
    made.request("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="first")
    made.request("POST", "/api/v3/order", **limit)
    return made


@contextmanager
def busy(exchange: Exchange, account: Account) -> Iterator[None]:
    """The market moves and the account trades, so that each stream has something to tell."""
    over = threading.Event()

    def trade() -> None:
        market = exchange.market("BTCUSDT")
        for number in range(10_000):
            if over.wait(0.3):
                return
            market.jump_to(65_000 + number % 7)
            account.request(
                "POST", "/api/v3/order", symbol="BTCUSDT", side=("BUY", "SELL")[number % 2], type="MARKET",
                quantity="0.01",
            )  # fmt: skip

    thread = threading.Thread(target=trade)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("way", WAYS)
def test_its_tests_hold_but_for_what_is_explained(
    way: str, tmp_path: Path, exchange: Exchange, account: Account
) -> None:
    with busy(exchange, account):
        found = run(tmp_path, exchange.url, account, *WAYS[way])
    assert set(found.failed) == set(explained(way)), f"{found.failed}\n{found.output}"
    assert found.held >= AT_LEAST[way], found.output
