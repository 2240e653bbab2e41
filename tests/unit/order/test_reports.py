"""executionReport of orders that trade and end: W, M and w as Binance has them (binance-spot-api 6.2)."""

from typing import Any

import pytest

from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.test_ws_api import events_until_quiet
from tests.unit.order.ws_client import connected


async def reports_of(exchange: OrderExchange, *orders: dict[str, object]) -> list[dict[str, Any]]:
    """What Bob hears of his orders."""
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", BOB)
        for order in orders:
            assert (await exchange.request("POST", "/order", BOB, **order)).status_code == 200
        events = await events_until_quiet(socket)
    return [event for event in events if event["e"] == "executionReport"]


@covers("executionReport", "type MARKET", "timeInForce IOC", "timeInForce FOK")
@pytest.mark.parametrize(
    ("order", "ending"),
    [
        ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}, None),
        ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "2"}, "INSUFFICIENT_LIQUIDITY"),
        (limit_order("BUY", "50000", "2", timeInForce="IOC"), "UNFILLED_IOC_QUANTITY_EXPIRED"),
        (limit_order("BUY", "50000", "1", timeInForce="FOK"), None),
        (limit_order("BUY", "50000", "2", timeInForce="FOK"), "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
async def test_takers_that_never_rest(
    exchange: OrderExchange, order: dict[str, object], ending: str | None
) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    reports = await reports_of(exchange, order)
    created = reports[0]["O"]
    assert {report["W"] for report in reports} == {created}, "it has worked from the first moment on"
    assert [(report["M"], report["w"]) for report in reports if report["x"] == "TRADE"] == (
        [(True, False)] if ending != "UNFILLED_FOK_ORDER_EXPIRED" else []
    )
    assert all(not report["M"] for report in reports if report["x"] != "TRADE")
    if ending is None:
        assert reports[-1]["X"] == "FILLED"
    else:
        assert (reports[-1]["x"], reports[-1]["eR"], reports[-1]["w"]) == ("EXPIRED", ending, False)


@covers("executionReport", "type LIMIT", "timeInForce GTC")
async def test_a_taker_that_rests_is_on_the_book(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    new, trade = await reports_of(exchange, limit_order("BUY", "50000", "2"))
    assert (new["x"], new["w"], trade["x"], trade["X"], trade["w"]) == (
        "NEW", True, "TRADE", "PARTIALLY_FILLED", True,
    )  # fmt: skip
