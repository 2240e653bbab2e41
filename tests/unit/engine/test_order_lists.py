"""Lists of orders: an OCO holds once, an OTO's pending orders have their turn, and lists end whole."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import OrderClosed, TradeExecuted
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.order_events import (
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderPlaced,
)
from matching_engine.core.engine_limits import EngineLimits
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, USDT, P, TermsExchange, kinds, leg, one
from tests.unit.engine.test_trading import UNIT

B, S = codes.BUY, codes.SELL
SL, SLL, TP, TPL, LM = (
    codes.STOP_LOSS, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT, codes.LIMIT_MAKER,
)  # fmt: skip
OCO, OTO, OTOCO = codes.CONTINGENCY_OCO, codes.CONTINGENCY_OTO, codes.CONTINGENCY_OTOCO
LOT_ATOMS = 1_000


def buy_oco(x: TermsExchange) -> tuple[int, int]:
    """A limit below and a stop above the last price; what each of them needs."""
    above, below = leg("stop", B, SLL, 1_000, P + 200, stop=P + 100), leg("limit", B, LM, 1_000, P - 100)
    assert kinds(x.list_of(ALICE, OCO, above, below)) == [
        "OrderListPlaced", "OrderWithTermsAccepted", "OrderWithTermsAccepted",
    ]  # fmt: skip
    return (P + 200) * 1_000 * UNIT, (P - 100) * 1_000 * UNIT


def test_an_oco_holds_the_larger_of_what_its_legs_need() -> None:
    x = TermsExchange()
    stop_needs, limit_needs = buy_oco(x)
    assert x.held(ALICE, USDT) == max(stop_needs, limit_needs)
    assert x.book(B) == [(P - 100, 1_000)]


def test_an_oco_to_sell_holds_its_lots_once() -> None:
    x = TermsExchange()
    events = x.list_of(ALICE, OCO, leg("up", S, LM, 1_000, P + 100), leg("down", S, SL, 1_000, stop=P - 100))
    assert [one(events, OrderWithTermsAccepted, n).held_atoms for n in (0, 1)] == [1_000 * LOT_ATOMS, 0]
    assert x.held(ALICE, BTC) == 1_000 * LOT_ATOMS


def test_a_fill_of_the_limit_ends_the_stop() -> None:
    x = TermsExchange()
    _, limit_needs = buy_oco(x)
    events = x.place(BOB, S, P - 100, 300)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", "OrderClosed", "OrderListDone"]
    closed = one(events, OrderClosed)
    assert (closed.status, closed.reason) == (codes.EXPIRED, codes.CLOSED_OCO_TRIGGER)
    assert x.held(ALICE, USDT) == limit_needs * 7 // 10
    assert x.engine.order_lists == {}


def test_the_stop_s_trigger_ends_the_limit_first_and_holds_the_rest() -> None:
    x = TermsExchange()
    stop_needs, limit_needs = buy_oco(x)
    events = x.trade_at(P + 100)
    assert kinds(events)[-3:] == ["OrderClosed", "OrderListDone", "OrderTriggered"]
    closed, triggered = one(events, OrderClosed), one(events, OrderTriggered)
    assert (closed.released_atoms, closed.unbooked_lots) == (limit_needs, 1_000)
    assert (triggered.held_atoms, triggered.resting_lots) == (limit_needs, 1_000)
    assert x.held(ALICE, USDT) == stop_needs


@pytest.mark.parametrize("name", ["stop", "limit"])
def test_cancelling_a_leg_cancels_the_list(name: str) -> None:
    x = TermsExchange()
    buy_oco(x)
    events = x.cancel_order(ALICE, name)
    assert kinds(events) == ["OrderClosed", "OrderClosed", "OrderListDone"]
    assert {event.reason for event in events if isinstance(event, OrderClosed)} == {codes.CLOSED_BY_USER}
    assert x.held(ALICE, USDT) == 0


def test_a_list_is_cancelled_by_its_name_once() -> None:
    x = TermsExchange()
    buy_oco(x)
    assert x.refusal(x.cancel_list(BOB)) == codes.REJECT_UNKNOWN_ORDER
    assert kinds(x.cancel_list(ALICE)) == ["OrderClosed", "OrderClosed", "OrderListDone"]
    assert x.refusal(x.cancel_list(ALICE)) == codes.REJECT_UNKNOWN_ORDER


@pytest.mark.parametrize(
    ("above", "below", "reason"),
    [
        (leg("a", S, LM, 1_000, P - 1), leg("b", S, SL, 1_000, stop=P - 10), codes.REJECT_LIST_PRICES),
        (leg("a", S, LM, 1_000, P + 9), leg("b", S, SL, 1_000, stop=P + 10), codes.REJECT_LIST_PRICES),
        (leg("a", S, LM, 1_000, P - 10), leg("b", S, SL, 1_000, stop=P + 10), codes.REJECT_LIST_PRICES),
        (leg("a", S, TP, 1_000, stop=P + 9), leg("b", S, TP, 1_000, stop=P + 5), codes.REJECT_COMBINATION),
        (leg("a", S, LM, 1_000, P + 9), leg("b", S, SL, 900, stop=P - 10), codes.REJECT_MALFORMED),
        (leg("a", S, LM, 1_000, P + 9), leg("a", S, SL, 1_000, stop=P - 10),
         codes.REJECT_DUPLICATE_CLIENT_ORDER_ID),
        (leg("a", S, LM, 1_000, P), leg("b", S, SL, 1_000, stop=P - 10), codes.REJECT_LIST_PRICES),
    ],
)  # fmt: skip
def test_what_is_no_oco_is_refused_whole(above: OrderLeg, below: OrderLeg, reason: int) -> None:
    x = TermsExchange()
    x.place(BOB, B, P - 1, 100)
    assert x.refusal(x.list_of(ALICE, OCO, above, below)) == reason
    assert x.held(ALICE, BTC) == 0
    assert x.engine.order_lists == {}


@pytest.mark.parametrize(
    ("above", "below", "reason"),
    [
        (leg("a", S, LM, 1_000, P - 1), leg("b", S, SL, 1_000, stop=P - 10), codes.REJECT_WOULD_TAKE),
        (leg("a", S, LM, 1_000, P + 9), leg("b", S, SL, 1_000, stop=P + 10), codes.REJECT_WOULD_TRIGGER),
    ],
)
def test_rules_before_tell_what_unfit_prices_lead_to(above: OrderLeg, below: OrderLeg, reason: int) -> None:
    x = TermsExchange()
    x.engine.rules_version = 4
    x.place(BOB, B, P - 1, 100)
    assert x.refusal(x.list_of(ALICE, OCO, above, below)) == reason


def test_a_list_needs_money_for_what_works_alone() -> None:
    x = TermsExchange()
    lots = 2 * 10**6
    working, pending = leg("w", B, codes.LIMIT, 1_000, P - 10), leg("p", S, codes.LIMIT, lots, P + 10)
    assert isinstance(x.list_of(ALICE, OTO, working, pending)[0], OrderListPlaced)
    assert x.held(ALICE, USDT) == (P - 10) * 1_000 * UNIT
    assert x.held(ALICE, BTC) == 0


def test_a_pending_order_is_placed_once_the_working_one_is_filled_whole() -> None:
    x = TermsExchange()
    working, pending = leg("w", B, codes.LIMIT, 1_000, P - 10), leg("p", S, codes.LIMIT, 1_000, P + 10)
    states = [
        event.state
        for event in x.list_of(ALICE, OTO, working, pending)
        if isinstance(event, OrderWithTermsAccepted)
    ]
    assert states == [codes.STATE_WORKING, codes.STATE_PENDING]
    assert kinds(x.place(BOB, S, P - 10, 999)) == ["OrderAccepted", "TradeExecuted"]
    events = x.place(BOB, S, P - 10, 100, tif=codes.IOC)
    assert kinds(events) == [
        "OrderAccepted", "TradeExecuted", "OrderClosed", "PendingOrderPlaced", "OrderListDone",
    ]  # fmt: skip
    assert one(events, PendingOrderPlaced).resting_lots == 1_000
    assert x.book(S) == [(P + 10, 1_000)]


def test_a_working_order_that_fills_at_once_places_its_pending_stop() -> None:
    x = TermsExchange()
    x.place(BOB, S, P + 5, 1_000)
    working, pending = leg("w", B, codes.LIMIT, 1_000, P + 5), leg("p", S, SL, 1_000, stop=P - 10)
    events = x.list_of(ALICE, OTO, working, pending)
    placed = one(events, PendingOrderPlaced)
    assert (placed.state, placed.held_atoms) == (codes.STATE_WAITING, 1_000 * LOT_ATOMS)
    assert kinds(events)[-2:] == ["PendingOrderPlaced", "OrderListDone"]


def test_the_end_of_the_working_order_ends_the_list() -> None:
    x = TermsExchange()
    working, pending = leg("w", B, codes.LIMIT, 1_000, P - 10, tif=codes.IOC), leg("p", S, SL, 1, stop=P - 20)
    events = x.list_of(ALICE, OTO, working, pending)
    reasons = [event.reason for event in events if isinstance(event, OrderClosed)]
    assert reasons == [codes.CLOSED_IOC_REMAINDER, codes.CLOSED_OTO_PHASE_ONE_EXPIRED] or (
        x.refusal(events) == codes.REJECT_NOTIONAL
    )


def test_cancelling_a_pending_order_cancels_the_working_one() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OTO, leg("w", B, codes.LIMIT, 1_000, P - 10), leg("p", S, codes.LIMIT, 1_000, P + 10))
    assert kinds(x.cancel_order(ALICE, "p")) == ["OrderClosed", "OrderClosed", "OrderListDone"]
    assert x.held(ALICE, USDT) == 0
    assert x.book(B) == []


def test_a_pending_order_that_cannot_be_placed_ends_refused() -> None:
    x = TermsExchange()
    working, pending = leg("w", B, codes.LIMIT, 1_000, P - 10), leg("p", B, SL, 1_000, stop=P - 20)
    x.list_of(ALICE, OTO, working, pending)
    events = x.place(BOB, S, P - 10, 1_000)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", "OrderClosed", "OrderListDone"]
    assert one(events, OrderClosed).reason == codes.CLOSED_PENDING_REFUSED


def test_an_otoco_s_pair_holds_once_and_decides_about_each_other() -> None:
    x = TermsExchange()
    legs = (
        leg("w", B, codes.LIMIT, 1_000, P - 10), leg("up", S, LM, 1_000, P + 100),
        leg("down", S, SLL, 1_000, P - 120, stop=P - 100),
    )  # fmt: skip
    x.list_of(ALICE, OTOCO, *legs)
    events = x.place(BOB, S, P - 10, 1_000)
    placed = [event for event in events if isinstance(event, PendingOrderPlaced)]
    assert [event.held_atoms for event in placed] == [1_000 * LOT_ATOMS, 0]
    assert "OrderListDone" not in kinds(events)
    x.engine = x.restored()
    events = x.place(BOB, B, P + 100, 400)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", "OrderClosed", "OrderListDone"]
    assert x.held(ALICE, BTC) == 600 * LOT_ATOMS


def test_self_trade_prevention_of_a_leg_ends_its_list() -> None:
    x = TermsExchange()
    buy_oco(x)
    events = x.place(ALICE, S, P - 100, 100)
    reasons = [event.reason for event in events if isinstance(event, OrderClosed)]
    assert reasons == [codes.CLOSED_SELF_TRADE, codes.CLOSED_OCO_TRIGGER]
    assert kinds(events)[-1] == "OrderListDone"
    assert x.held(ALICE, USDT) == 0


def test_a_name_of_a_list_is_taken_while_it_is_open_and_lists_are_counted() -> None:
    x = TermsExchange(EngineLimits(order_lists_max=1))
    buy_oco(x)
    pair = leg("c", S, LM, 1_000, P + 100), leg("d", S, SL, 1_000, stop=P - 100)
    assert x.refusal(x.list_of(ALICE, OCO, *pair)) == codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    assert x.refusal(x.list_of(ALICE, OCO, *pair, name="two")) == codes.REJECT_MAX_NUM_ORDER_LISTS
    x.cancel_list(ALICE)
    assert isinstance(x.list_of(ALICE, OCO, *pair)[0], OrderListPlaced)


def test_all_of_a_user_s_orders_are_cancelled_lists_too() -> None:
    from exchange.contracts.commands import CancelAllOrders

    x = TermsExchange()
    buy_oco(x)
    x.place(ALICE, B, P - 300, 100)
    events = x.apply(CancelAllOrders(1, ALICE, 1, "", 0))
    assert kinds(events) == ["OrderClosed", "OrderClosed", "OrderListDone", "OrderClosed"]
    assert x.held(ALICE, USDT) == 0
    assert isinstance(events[2], OrderListDone)


def test_a_take_profit_and_a_stop_may_stand_in_one_list() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OCO, leg("up", S, TP, 1_000, stop=P + 100), leg("down", S, SL, 1_000, stop=P - 100))
    assert x.held(ALICE, BTC) == 1_000 * LOT_ATOMS
    x.place(BOB, B, P - 200, 2_000)
    events = x.trade_at(P + 100)
    assert one(events, OrderTriggered).held_atoms == 0
    assert one(events, TradeExecuted, 1).quantity_lots == 1_000
    assert x.held(ALICE, BTC) == 0
