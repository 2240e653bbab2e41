"""`make run ANOMALY_ACTION=cancel_only`: a price that is walked away turns its market, once, by itself.

Two starts of an exchange: its cheap twin is tests/integration/operator/test_anomalies.py.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from local.exchange_process import ExchangeProcess
from local.operating import door_of
from services.operator.asking import ask
from services.operator.orders import ListAnomalies, ListMarkets, Order, SearchAuditLog, SetMode, Signed
from tests.e2e.trader import Trader

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough]
DEADLINE_S = 60.0
MONEY = {"BTC": "10", "ETH": "100", "USDT": "1000000"}


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    settings = {"ANOMALY_ACTION": "cancel_only", "ENGINE_BUILD": "interpreted"}
    with ExchangeProcess("run", settings=settings) as running:
        yield running


def until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < give_up, "it has not come to that"
        time.sleep(0.05)


def ordered(exchange: ExchangeProcess, order: Order, who: str = "olga") -> list[str]:
    answer = asyncio.run(ask(door_of(exchange.data_dir / "embedded"), Signed(order, who, "a test")))
    assert answer.is_done, answer.lines
    return answer.lines


def walk(exchange: ExchangeProcess, symbol: str, first: int, last: int) -> None:
    """Two traders meet at ever higher prices, as far as the market lets them."""
    seller, buyer = (Trader.sign_up(exchange.url, deposits=MONEY) for _ in range(2))
    try:
        for price in range(first, last + 1, (last - first) // 5):
            for trader, side in ((seller, "SELL"), (buyer, "BUY")):
                answer = trader.signed(
                    "POST", "/api/v3/order", symbol=symbol, side=side, type="LIMIT", timeInForce="GTC",
                    price=price, quantity="0.01",
                )  # fmt: skip
                if answer.status_code != 200:
                    return
    finally:
        seller.close()
        buyer.close()


def test_a_price_walked_by_a_fifth_turns_its_market_and_an_operator_has_the_last_word(
    exchange: ExchangeProcess,
) -> None:
    assert ordered(exchange, ListAnomalies()) == ["nothing was unusual"]
    walk(exchange, "BTCUSDT", 50_000, 60_000)
    until(lambda: "BTCUSDT: cancel-only" in ordered(exchange, ListMarkets()))
    until(lambda: "BTCUSDT: cancel-only since seq" in ordered(exchange, ListAnomalies())[0])
    assert ordered(exchange, ListAnomalies())[0].startswith("1: price_jump of BTCUSDT: ")
    told = [line for line in ordered(exchange, SearchAuditLog("anomaly-watch")) if '"cancel-only"' in line]
    assert len(told) == 2, "that it was ordered, and that it was done"
    metrics = httpx.get(f"{exchange.url}/metrics", trust_env=False).text
    assert 'exchange_anomaly_acts_total{result="done"} 1.0' in metrics
    assert 'exchange_anomalies_raised_total{kind="price_jump"}' in metrics
    ordered(exchange, SetMode("BTCUSDT", "reopen"))
    exchange.stop()
    exchange.start()
    # The watch of the new life sees, and acts: on what is new.
    walk(exchange, "BTCUSDT", 60_000, 60_050)
    walk(exchange, "ETHUSDT", 3_000, 3_600)
    until(lambda: "ETHUSDT: cancel-only" in ordered(exchange, ListMarkets()))
    assert "BTCUSDT: trading" in ordered(exchange, ListMarkets())
    told = [line for line in ordered(exchange, SearchAuditLog("anomaly-watch")) if '"cancel-only"' in line]
    assert len(told) == 4
