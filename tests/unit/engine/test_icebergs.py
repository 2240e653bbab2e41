"""Icebergs: the book shows one slice, the next one stands behind all others, walks count what is hidden."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import OrderClosed, TradeExecuted
from exchange.contracts.order_events import IcebergRefilled, OrderWithTermsAccepted
from matching_engine.core.engine_limits import EngineLimits
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, USDT, P, TermsExchange, kinds, leg, one
from tests.unit.engine.test_trading import UNIT

B, S, LIMIT = codes.BUY, codes.SELL, codes.LIMIT


def test_the_book_shows_one_slice_and_the_whole_is_held() -> None:
    x = TermsExchange()
    events = x.order(ALICE, leg("a", B, LIMIT, 1_000, P - 10, iceberg=300))
    assert one(events, OrderWithTermsAccepted).resting_lots == 300
    assert x.book(B) == [(P - 10, 300)]
    assert x.held(ALICE, USDT) == (P - 10) * 1_000 * UNIT


def test_priority_is_lost_at_each_slice() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, LIMIT, 1_000, P + 10, iceberg=300))
    x.place(ALICE, S, P + 10, 500)
    events = x.place(BOB, B, P + 10, 1_500)
    assert [event.quantity_lots for event in events if isinstance(event, TradeExecuted)] == [
        300, 500, 300, 300, 100,
    ]  # fmt: skip
    assert [event.displayed_lots for event in events if isinstance(event, IcebergRefilled)] == [300, 300, 100]
    assert x.held(ALICE, BTC) == 0


def test_a_taker_works_with_all_of_it_and_shows_a_slice_of_the_rest() -> None:
    x = TermsExchange()
    x.place(BOB, S, P + 10, 400)
    events = x.order(ALICE, leg("a", B, LIMIT, 1_000, P + 10, iceberg=250))
    assert kinds(events) == ["OrderWithTermsAccepted", "TradeExecuted"]
    assert one(events, OrderWithTermsAccepted).resting_lots == 250
    assert x.book(B) == [(P + 10, 250)]


def test_fill_or_kill_counts_what_is_hidden() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, LIMIT, 1_000, P + 10, iceberg=100))
    assert kinds(x.place(BOB, B, P + 10, 1_001, tif=codes.FOK)) == ["OrderAccepted", "OrderClosed"]
    assert kinds(x.place(BOB, B, P + 10, 1_000, tif=codes.FOK)).count("TradeExecuted") == 10


def test_each_slice_is_one_of_the_orders_that_one_may_meet() -> None:
    x = TermsExchange(EngineLimits(fills_per_command_max=3))
    x.order(ALICE, leg("a", S, LIMIT, 1_000, P + 10, iceberg=100))
    assert one(x.place(BOB, B, P + 10, 400, tif=codes.FOK), OrderClosed).reason == codes.CLOSED_FOK_UNFILLABLE
    events = x.place(BOB, B, P + 10, 400)
    assert kinds(events).count("TradeExecuted") == 3
    assert one(events, OrderClosed).reason == codes.CLOSED_TOO_MANY_FILLS


def test_a_market_order_holds_exactly_what_the_slices_cost() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, LIMIT, 1_000, P + 10, iceberg=100))
    x.place(ALICE, S, P + 20, 500)
    events = x.place(BOB, B, 0, 1_200, order_type=codes.MARKET)
    bought = [event for event in events if isinstance(event, TradeExecuted)]
    assert sum(event.quantity_lots for event in bought) == 1_200
    assert x.held(BOB, USDT) == 0


def test_cancelling_gives_back_what_is_hidden_too() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", B, LIMIT, 1_000, P - 10, iceberg=300))
    closed = one(x.cancel_order(ALICE, "a"), OrderClosed)
    assert (closed.unbooked_lots, closed.released_atoms) == (300, (P - 10) * 1_000 * UNIT)
    assert x.held(ALICE, USDT) == 0


@pytest.mark.parametrize(
    ("lots", "iceberg", "tif", "reason"),
    [
        (1_000, 1_000, codes.GTC, codes.REJECT_ICEBERG_EXCEEDS_QUANTITY),
        (1_000, 1_001, codes.GTC, codes.REJECT_ICEBERG_EXCEEDS_QUANTITY),
        (10_100, 100, codes.GTC, codes.REJECT_ICEBERG_PARTS),
        (1_000, 100, codes.IOC, codes.REJECT_MALFORMED),
    ],
)
def test_what_is_no_iceberg_is_refused(lots: int, iceberg: int, tif: int, reason: int) -> None:
    x = TermsExchange()
    events = x.order(ALICE, leg("a", B, LIMIT, lots, P - 10, iceberg=iceberg, tif=tif))
    assert x.refusal(events) == reason


def test_a_state_with_icebergs_is_restored_as_it_was() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, LIMIT, 1_000, P + 10, iceberg=300))
    x.place(BOB, B, P + 10, 350)
    x.engine = x.restored()
    assert x.book(S) == [(P + 10, 250)]
    assert one(x.place(BOB, B, P + 10, 250), IcebergRefilled).displayed_lots == 300
