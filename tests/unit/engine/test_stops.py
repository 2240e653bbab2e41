"""Stop orders: which price sends them to work, what they hold, in what order and how many at once."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import CommandRejected, OrderClosed, TradeExecuted
from exchange.contracts.order_events import OrderTriggered, OrderWithTermsAccepted
from matching_engine.core.engine_limits import EngineLimits
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, USDT, P, TermsExchange, kinds, leg, one
from tests.unit.engine.test_trading import UNIT

B, S = codes.BUY, codes.SELL
SL, SLL, TP, TPL = codes.STOP_LOSS, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT
LOT_ATOMS = 1_000


@pytest.mark.parametrize(
    ("side", "order_type", "stop"),
    [(B, SL, P + 10), (S, SL, P - 10), (B, TP, P - 10), (S, TP, P + 10),
     (B, SLL, P + 10), (S, SLL, P - 10), (B, TPL, P - 10), (S, TPL, P + 10)],
)  # fmt: skip
def test_each_kind_works_once_its_price_was_traded(side: int, order_type: int, stop: int) -> None:
    x = TermsExchange()
    price = 0 if order_type in (SL, TP) else stop
    accepted = one(
        x.order(ALICE, leg("a", side, order_type, 1_000, price, stop=stop)), OrderWithTermsAccepted
    )
    assert (accepted.state, accepted.resting_lots) == (codes.STATE_WAITING, 0)
    away = 1 if stop > P else -1
    assert "OrderTriggered" not in kinds(x.trade_at(stop - away))
    triggered = one(x.trade_at(stop), OrderTriggered)
    assert (triggered.order_id, triggered.trigger_price_ticks) == (accepted.order_id, stop)
    assert triggered.price_ticks == price


@pytest.mark.parametrize(
    ("side", "order_type", "stop"), [(B, SL, P), (S, SL, P), (B, TP, P), (S, TP, P), (B, SLL, P - 1)]
)
def test_a_price_that_is_there_already_is_refused(side: int, order_type: int, stop: int) -> None:
    x = TermsExchange()
    price = P if order_type == SLL else 0
    events = x.order(ALICE, leg("a", side, order_type, 1_000, price, stop=stop))
    assert x.refusal(events) == codes.REJECT_WOULD_TRIGGER


def test_a_stop_to_sell_holds_its_lots_and_sells_at_any_price() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, SL, 1_000, stop=P - 10))
    assert x.held(ALICE, BTC) == 1_000 * LOT_ATOMS
    x.place(BOB, B, P - 500, 400)
    events = x.trade_at(P - 10)
    trade = one(events, TradeExecuted, 1)
    assert (trade.price_ticks, trade.quantity_lots) == (P - 500, 400)
    closed = one(events, OrderClosed)
    assert (closed.reason, closed.released_atoms) == (codes.CLOSED_NO_LIQUIDITY, 600 * LOT_ATOMS)
    assert x.held(ALICE, BTC) == 0


def test_a_stop_to_buy_holds_its_price_and_a_margin_and_gives_back_what_the_book_does_not_cost() -> None:
    x = TermsExchange()
    stop = P + 100
    accepted = one(x.order(ALICE, leg("a", B, SL, 1_000, stop=stop)), OrderWithTermsAccepted)
    assert accepted.held_atoms == x.held(ALICE, USDT) == stop * 105 // 100 * 1_000 * UNIT
    x.place(BOB, S, stop + 50, 2_000)
    events = x.trade_at(stop)
    triggered = one(events, OrderTriggered)
    assert triggered.released_atoms == accepted.held_atoms - (stop + 50) * 1_000 * UNIT
    assert x.held(ALICE, USDT) == 0


def test_what_the_hold_does_not_pay_expires() -> None:
    x = TermsExchange()
    stop = P + 100
    x.order(ALICE, leg("a", B, SL, 1_000, stop=stop))
    x.place(BOB, S, stop * 2, 2_000)
    events = x.trade_at(stop)
    bought = one(events, TradeExecuted, 1).quantity_lots
    assert bought == 525  # of 1,000 at twice the price, by 1.05 of the money
    assert one(events, OrderClosed).reason == codes.CLOSED_HOLD_SPENT
    assert x.held(ALICE, USDT) == 0


def test_a_stop_limit_rests_where_its_price_says() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", B, SLL, 1_000, P + 5, stop=P + 10))
    assert x.held(ALICE, USDT) == (P + 5) * 1_000 * UNIT
    assert x.book(B) == []
    assert one(x.trade_at(P + 10), OrderTriggered).resting_lots == 1_000
    assert x.book(B) == [(P + 5, 1_000)]


def test_stops_go_to_work_nearest_first_then_in_order_of_arrival() -> None:
    x = TermsExchange()
    for name, stop in (("far", P + 30), ("first", P + 10), ("second", P + 10), ("near", P + 5)):
        x.order(ALICE, leg(name, B, SLL, 100, P - 50, stop=stop))
    ids = {order.client_order_id: order.order_id for order in x.engine.orders.values()}
    events = x.trade_at(P + 40)
    order = [event.order_id for event in events if isinstance(event, OrderTriggered)]
    assert order == [ids["near"], ids["first"], ids["second"], ids["far"]]


def test_one_trade_sends_the_next_to_work_and_so_on() -> None:
    x = TermsExchange()
    for n in range(4):
        x.place(BOB, B, P - 10 * (n + 1), 100)
        x.order(ALICE, leg(f"s{n}", S, SL, 100, stop=P - 10 * n - 1))
    events = x.place(ALICE, S, P - 10, 100)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", *["OrderTriggered", "TradeExecuted"] * 3,
                             "OrderTriggered", "OrderClosed"]  # fmt: skip


def test_what_exceeds_the_bound_is_sent_by_later_commands_and_by_the_leader_s_word() -> None:
    x = TermsExchange(EngineLimits(follow_ups_per_command_max=2))
    for n in range(5):
        x.order(ALICE, leg(f"s{n}", B, SLL, 100, P - 100, stop=P + 10))
    assert kinds(x.trade_at(P + 10)).count("OrderTriggered") == 2
    # What is due stays due when the price turns, and counts as the last price for others.
    x.engine = x.restored()
    assert x.refusal(x.order(BOB, leg("late", B, SLL, 100, P, stop=P + 10))) == codes.REJECT_WOULD_TRIGGER
    assert kinds(x.cancel_order(ALICE, "s2")) == ["OrderClosed"]
    assert kinds(x.keep_time()) == ["TimeKept", "OrderTriggered", "OrderTriggered"]
    assert kinds(x.keep_time()) == ["TimeKept"]
    assert kinds(x.trade_at(P)) == ["OrderAccepted", "TradeExecuted"]


def test_what_is_refused_sends_nothing_to_work() -> None:
    x = TermsExchange(EngineLimits(follow_ups_per_command_max=1))
    for n in range(3):
        x.order(ALICE, leg(f"s{n}", B, SLL, 100, P - 100, stop=P + 10))
    x.trade_at(P + 10)
    (refused,) = x.place(BOB, B, 0, 0)
    assert isinstance(refused, CommandRejected)
    assert kinds(x.place(BOB, B, P - 300, 100)) == ["OrderAccepted", "OrderTriggered"]


def test_fills_of_who_follows_are_bounded_too() -> None:
    x = TermsExchange(EngineLimits(fills_per_command_max=4))
    x.place(BOB, S, P + 10, 100)
    for n in range(8):
        x.place(BOB, S, P + 20 + n, 100)
    x.order(ALICE, leg("a", B, SL, 800, stop=P + 10))
    events = x.place(ALICE, B, P + 10, 100)
    assert kinds(events).count("TradeExecuted") == 3
    assert one(events, OrderClosed).reason == codes.CLOSED_TOO_MANY_FILLS


def test_a_halted_market_sends_nothing_to_work_until_it_trades() -> None:
    x = TermsExchange(EngineLimits(follow_ups_per_command_max=1))
    for n in range(3):
        x.order(ALICE, leg(f"s{n}", B, SLL, 100, P - 100, stop=P + 10))
    x.trade_at(P + 10)
    x.mode(codes.MODE_HALTED)
    assert kinds(x.keep_time()) == ["TimeKept"]
    x.mode(codes.MODE_TRADING)
    assert kinds(x.keep_time()) == ["TimeKept", "OrderTriggered"]


def test_too_many_waiting_orders_are_refused() -> None:
    x = TermsExchange(EngineLimits(algo_orders_max=2))
    for n in range(2):
        x.order(ALICE, leg(f"s{n}", B, SLL, 100, P - 100, stop=P + 10))
    events = x.order(ALICE, leg("more", B, SLL, 100, P - 100, stop=P + 10))
    assert x.refusal(events) == codes.REJECT_MAX_NUM_ALGO_ORDERS


def test_cancel_restrictions_hold_for_waiting_orders() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", B, SLL, 100, P, stop=P + 10))
    events = x.cancel_order(ALICE, "a", codes.CANCEL_ONLY_PARTIALLY_FILLED)
    assert x.refusal(events) == codes.REJECT_CANCEL_RESTRICTED
    assert kinds(x.cancel_order(ALICE, "a", codes.CANCEL_ONLY_NEW)) == ["OrderClosed"]
    assert x.held(ALICE, USDT) == 0
