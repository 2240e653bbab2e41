"""ANOMALY_ACTION=cancel_only: a price that is walked away turns its market, once, by itself, in both modes.

Two starts of an exchange each: the cheap twin is tests/integration/operator/test_anomalies.py.
"""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.test_operator import operator
from tests.e2e.trader import Trader

pytestmark = [
    pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(600)
]  # fmt: skip
DEADLINE_S = 60.0
MONEY = {"BTC": "10", "ETH": "100", "USDT": "1000000"}


@pytest.fixture(params=["run", "stack"])
def exchange(request: pytest.FixtureRequest) -> Iterator[ExchangeProcess]:
    settings = {"ANOMALY_ACTION": "cancel_only", "ENGINE_BUILD": "interpreted"}
    with ExchangeProcess(request.param, settings=settings) as running:
        yield running


def until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < give_up, "it has not come to that"
        time.sleep(0.05)


def ordered(exchange: ExchangeProcess, *arguments: str) -> list[str]:
    done = operator(exchange, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def told(exchange: ExchangeProcess) -> list[str]:
    """What the audit log has of orders by the watch."""
    lines = ordered(exchange, "audit-log", "anomaly-watch")
    return [line for line in lines if '"cancel-only"' in line]


def walk(exchange: ExchangeProcess, symbol: str, first: int, last: int) -> None:
    """Two traders meet at ever higher prices, as far as the market lets them."""
    seller, buyer = (Trader.sign_up(exchange.url, deposits=MONEY) for _ in range(2))
    try:
        for price in range(first, last + 1, (last - first) // 5):
            for trader, side in ((seller, "SELL"), (buyer, "BUY")):
                order = {"symbol": symbol, "side": side, "type": "LIMIT", "timeInForce": "GTC"}
                answer = trader.signed("POST", "/api/v3/order", **order, price=price, quantity="0.01")
                if answer.status_code != 200:
                    return
    finally:
        seller.close()
        buyer.close()


def test_a_price_walked_by_a_fifth_turns_its_market_and_an_operator_has_the_last_word(
    exchange: ExchangeProcess,
) -> None:
    assert ordered(exchange, "anomalies") == ["nothing was unusual"]
    walk(exchange, "BTCUSDT", 50_000, 60_000)
    until(lambda: "BTCUSDT: cancel-only" in ordered(exchange, "markets", "list"))
    until(lambda: "BTCUSDT: cancel-only since seq" in ordered(exchange, "anomalies")[0])
    assert ordered(exchange, "anomalies")[0].startswith("1: price_jump of BTCUSDT: ")
    assert len(told(exchange)) == 2, "that it was ordered, and that it was done"
    ordered(exchange, "markets", "reopen", "BTCUSDT", "--reason", "the price is right")
    if exchange.mode == "run":
        metrics = httpx.get(f"{exchange.url}/metrics", trust_env=False).text
        assert 'exchange_anomaly_acts_total{result="done"} 1.0' in metrics
        assert 'exchange_anomalies_raised_total{kind="price_jump"}' in metrics
    exchange.stop()
    exchange.start()
    # The watch of the new life sees, and acts: on what is new.
    walk(exchange, "BTCUSDT", 60_000, 60_050)
    walk(exchange, "ETHUSDT", 3_000, 3_600)
    until(lambda: "ETHUSDT: cancel-only" in ordered(exchange, "markets", "list"))
    assert "BTCUSDT: trading" in ordered(exchange, "markets", "list")
    assert len(told(exchange)) == 4
