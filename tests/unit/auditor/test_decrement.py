"""A self-trade that makes both orders smaller, of a buyer whose hold pays less than it would buy."""

from functools import partial
from typing import Any

from exchange.contracts import codes
from exchange.contracts.commands import CancelAllOrders
from exchange.contracts.events import Event
from exchange.contracts.order_commands import PlaceOrderWithTerms
from exchange.contracts.order_events import OrderTriggered, SelfTradeDecremented
from tests.unit.auditor.planted import (
    ALICE,
    BOB,
    BTCUSDT,
    PRICE,
    a_days_trading,
    changed,
    first_breaches,
    order,
    with_fields,
)

LOTS, STOP, ASK = 1_000, PRICE + 100, PRICE + 400_000


def test_a_triggered_buyer_meets_its_own_order_with_what_its_hold_pays() -> None:
    stream = a_days_trading()
    stream.apply(
        CancelAllOrders(78, ALICE, BTCUSDT, "", 0),
        CancelAllOrders(79, BOB, BTCUSDT, "", 0),
        order(80, ALICE, codes.SELL, ASK),
        PlaceOrderWithTerms(
            81, ALICE, BTCUSDT, "stop", codes.BUY, codes.STOP_LOSS, codes.GTC, 0, LOTS, 0,
            codes.STP_DECREMENT, 0, STOP, 0, 0, 0, 0, 0, 0,
        ),
        order(82, BOB, codes.SELL, STOP, 10),
        order(83, ALICE, codes.BUY, STOP, 10),
    )  # fmt: skip
    told = [recorded.event for recorded in stream.outcomes[-1].events]
    assert any(isinstance(event, OrderTriggered) for event in told)
    (met,) = [event for event in told if isinstance(event, SelfTradeDecremented)]
    assert 0 < met.prevented_lots < LOTS
    assert first_breaches(stream.outcomes) == ()
    for lots in (0, LOTS + 1):
        wrong = changed(stream.outcomes, SelfTradeDecremented, partial(_with_lots, lots))
        assert "I8" in {breach.invariant for breach in first_breaches(wrong)}


def _with_lots(lots: int, event: Any) -> list[Event]:
    return [with_fields(event, prevented_lots=lots)]
