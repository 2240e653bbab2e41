"""Self-trade prevention by DECREMENT, and a MARKET order by quote amount that empties the book."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import OrderAccepted, OrderClosed
from exchange.contracts.order_events import OrderWithTermsAccepted, SelfTradeDecremented
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, USDT, P, TermsExchange, kinds, leg, one
from tests.unit.engine.test_trading import UNIT

B, S = codes.BUY, codes.SELL


@pytest.mark.parametrize("mode", [codes.STP_DECREMENT, codes.STP_TRANSFER])
def test_both_orders_lose_the_smaller_quantity(mode: int) -> None:
    x = TermsExchange()
    x.place(ALICE, S, P, 300, name="small")
    events = x.place(ALICE, B, P, 1_000, name="large", stp=mode)
    assert kinds(events) == ["OrderAccepted", "SelfTradeDecremented", "OrderClosed"]
    lost = one(events, SelfTradeDecremented)
    assert (lost.prevented_lots, lost.maker_released_atoms) == (300, 300 * 1_000)
    assert lost.taker_released_atoms == P * 300 * UNIT
    closed = one(events, OrderClosed)
    assert (closed.order_id, closed.status) == (lost.maker_order_id, codes.EXPIRED_IN_MATCH)
    assert one(events, OrderAccepted).resting_lots == 700
    assert x.held(ALICE, BTC) == 0
    assert x.held(ALICE, USDT) == P * 700 * UNIT
    assert kinds(x.cancel_order(ALICE, "large", codes.CANCEL_ONLY_NEW)) == ["OrderClosed"]


def test_equal_orders_both_end() -> None:
    x = TermsExchange()
    x.place(ALICE, S, P, 300)
    events = x.place(ALICE, B, P, 300, stp=codes.STP_DECREMENT)
    assert kinds(events) == ["OrderAccepted", "SelfTradeDecremented", "OrderClosed", "OrderClosed"]
    assert x.money(ALICE, BTC)[1] == x.money(ALICE, USDT)[1] == 0


def test_a_market_order_holds_for_its_trades_alone() -> None:
    x = TermsExchange()
    x.place(ALICE, S, P, 300)
    x.place(BOB, S, P + 10, 300)
    events = x.place(ALICE, B, 0, 500, order_type=codes.MARKET, stp=codes.STP_DECREMENT)
    assert one(events, OrderAccepted).held_atoms == (P + 10) * 200 * UNIT
    assert kinds(events) == ["OrderAccepted", "SelfTradeDecremented", "OrderClosed", "TradeExecuted"]


def test_fill_or_kill_is_not_filled_by_what_is_prevented() -> None:
    x = TermsExchange()
    x.place(ALICE, S, P, 300)
    x.place(BOB, S, P, 300)
    events = x.place(ALICE, B, P, 600, tif=codes.FOK, stp=codes.STP_DECREMENT)
    assert one(events, OrderClosed).reason == codes.CLOSED_FOK_UNFILLABLE


def test_an_oco_leg_that_loses_lots_ends_the_other() -> None:
    x = TermsExchange()
    pair = (
        leg("up", S, codes.LIMIT_MAKER, 1_000, P + 10),
        leg("down", S, codes.STOP_LOSS, 1_000, stop=P - 100),
    )
    x.list_of(ALICE, codes.CONTINGENCY_OCO, *pair)
    events = x.place(ALICE, B, P + 10, 400, stp=codes.STP_DECREMENT)
    assert kinds(events) == [
        "OrderAccepted", "SelfTradeDecremented", "OrderClosed", "OrderListDone", "OrderClosed",
    ]  # fmt: skip
    assert x.held(ALICE, BTC) == 600 * 1_000


@pytest.mark.parametrize("with_terms", [False, True])
def test_a_quote_amount_that_empties_the_book_ends_expired(with_terms: bool) -> None:
    """Finding A9: who asked to spend more than the book takes was told that the order is filled."""
    x = TermsExchange()
    x.place(BOB, S, P, 1_000)
    budget = P * 1_500 * UNIT
    if with_terms:
        events = x.order(ALICE, leg("a", B, codes.MARKET, 0, strategy=7), quote=budget)
        accepted = one(events, OrderWithTermsAccepted)
        assert accepted.strategy_id == 7
        assert accepted.quantity_lots == 1_500
    else:
        events = x.place(ALICE, B, 0, 0, order_type=codes.MARKET, quote=budget)
        assert one(events, OrderAccepted).quantity_lots == 1_500
    assert kinds(events)[1:] == ["TradeExecuted", "OrderClosed"]
    closed = one(events, OrderClosed)
    assert (closed.status, closed.reason) == (codes.EXPIRED, codes.CLOSED_NO_LIQUIDITY)
    assert x.held(ALICE, USDT) == 0


def test_a_quote_amount_that_the_book_takes_is_filled() -> None:
    x = TermsExchange()
    x.place(BOB, S, P, 1_000)
    events = x.place(ALICE, B, 0, 0, order_type=codes.MARKET, quote=P * 1_000 * UNIT + 1)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted"]


def test_selling_for_a_quote_amount_holds_what_is_sold() -> None:
    x = TermsExchange()
    x.place(BOB, B, P, 1_000)
    events = x.place(ALICE, S, 0, 0, order_type=codes.MARKET, quote=P * 10**6 * UNIT)
    assert one(events, OrderAccepted).held_atoms == 1_000 * 1_000
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", "OrderClosed"]


@pytest.mark.parametrize(
    ("peg", "offset", "price"),
    [(codes.PEG_PRIMARY, 0, P - 10), (codes.PEG_PRIMARY, 1, P - 20), (codes.PEG_MARKET, 0, P + 10)],
)
def test_a_pegged_order_takes_its_price_from_the_book(peg: int, offset: int, price: int) -> None:
    x = TermsExchange()
    for away in (10, 20):
        x.place(BOB, B, P - away, 100)
        x.place(BOB, S, P + away, 100)
    events = x.order(ALICE, leg("a", B, codes.LIMIT, 100, peg=peg, offset=offset))
    assert one(events, OrderWithTermsAccepted).price_ticks == price


def test_a_pegged_order_without_a_price_is_refused() -> None:
    x = TermsExchange()
    events = x.order(ALICE, leg("a", B, codes.LIMIT, 100, peg=codes.PEG_PRIMARY))
    assert x.refusal(events) == codes.REJECT_NO_PEG_PRICE
