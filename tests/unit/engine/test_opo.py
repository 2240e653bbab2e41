"""OPO and OPOCO: pending orders sell what the working order has bought, no more and no less (ADR 0046)."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import ActivateRules
from exchange.contracts.events import CommandRejected, OrderClosed, TradeExecuted
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.order_events import (
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
)
from matching_engine.core.invariants import check_invariants
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, BTCUSDT, USDT, P, TermsExchange, kinds, leg, one

B, S = codes.BUY, codes.SELL
OTO, OPO, OPOCO = codes.CONTINGENCY_OTO, codes.CONTINGENCY_OPO, codes.CONTINGENCY_OPOCO
LIMIT, MARKET, LM = codes.LIMIT, codes.MARKET, codes.LIMIT_MAKER
SL, TP = codes.STOP_LOSS, codes.TAKE_PROFIT
LOT_ATOMS = 1_000


def buy(lots: int = 1_000, price: int = P - 100, **more: int) -> OrderLeg:
    """The working order."""
    return leg("buy", B, LIMIT, lots, price, **more)


def sell(order_type: int = LIMIT, price: int = P + 100, **more: int) -> OrderLeg:
    """The pending order of an OPO."""
    return leg("sell", S, order_type, 0, price, **more)


def pair() -> tuple[OrderLeg, OrderLeg]:
    """The pending orders of an OPOCO."""
    return leg("above", S, LM, 0, P + 100), leg("below", S, SL, 0, stop=P - 200)


def without_bitcoin(x: TermsExchange) -> int:
    """Let Alice sell nothing that she had before; returns what is held for that."""
    available, _ = x.money(ALICE, BTC)
    lots = available // LOT_ATOMS
    x.place(ALICE, S, P + 10_000, lots, name="rest")
    assert x.money(ALICE, BTC)[0] < LOT_ATOMS
    return lots * LOT_ATOMS


@pytest.mark.parametrize("contingency", [OPO, OPOCO])
def test_rules_before_know_no_such_list(contingency: int) -> None:
    x = TermsExchange()
    x.engine.rules_version = 4
    legs = (buy(), sell()) if contingency == OPO else (buy(), *pair())
    assert x.refusal(x.list_of(ALICE, contingency, *legs)) == codes.REJECT_MALFORMED
    x.apply(ActivateRules(1, 5))
    assert kinds(x.list_of(ALICE, contingency, *legs))[0] == "OrderListPlaced"


def test_only_the_working_order_holds_at_first() -> None:
    x = TermsExchange()
    before = x.held(ALICE, BTC)
    events = x.list_of(ALICE, OPO, buy(), sell())
    assert kinds(events) == ["OrderListPlaced", "OrderWithTermsAccepted", "OrderWithTermsAccepted"]
    pending = one(events, OrderWithTermsAccepted, 1)
    assert (pending.state, pending.quantity_lots, pending.held_atoms) == (codes.STATE_PENDING, 0, 0)
    assert one(events, OrderListPlaced).contingency == OPO
    assert x.held(ALICE, BTC) == before
    assert x.restored() is not None


def test_what_each_fill_brings_is_held_at_once() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OPO, buy(), sell())
    available, held = x.money(ALICE, BTC)
    events = x.place(BOB, S, P - 100, 300)
    assert kinds(events) == ["OrderAccepted", "TradeExecuted", "PendingOrderFunded"]
    trade, funded = one(events, TradeExecuted), one(events, PendingOrderFunded)
    # There is other money for the fee, so all that was bought is kept.
    assert trade.buyer_fee_atoms > 0
    assert (funded.quantity_lots, funded.held_atoms, funded.released_atoms) == (0, 300 * LOT_ATOMS, 0)
    assert x.money(ALICE, BTC) == (available - trade.buyer_fee_atoms, held + 300 * LOT_ATOMS)
    check_invariants(x.engine)
    assert x.restored() is not None


def test_the_pending_order_sells_what_was_bought_when_the_working_one_is_filled() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OPO, buy(), sell())
    x.place(BOB, S, P - 100, 300)
    events = x.place(BOB, S, P - 100, 700)
    assert kinds(events)[1:] == [
        "TradeExecuted", "PendingOrderFunded", "PendingOrderFunded", "PendingOrderPlaced", "OrderListDone",
    ]  # fmt: skip
    sized, placed = one(events, PendingOrderFunded, 1), one(events, PendingOrderPlaced)
    assert (sized.quantity_lots, sized.held_atoms, sized.released_atoms) == (1_000, 0, 0)
    assert (placed.state, placed.held_atoms, placed.resting_lots) == (codes.STATE_WORKING, 0, 1_000)
    assert x.book(S) == [(P + 100, 1_000)]
    check_invariants(x.engine)


def test_who_has_nothing_else_pays_the_fee_from_what_was_bought() -> None:
    x = TermsExchange()
    rest = without_bitcoin(x)
    x.list_of(ALICE, OPO, buy(), sell())
    events = x.place(BOB, S, P - 100, 1_000)
    fee = one(events, TradeExecuted).buyer_fee_atoms
    funded, sized = one(events, PendingOrderFunded), one(events, PendingOrderFunded, 1)
    assert funded.held_atoms == 1_000 * LOT_ATOMS - fee
    lots = (1_000 * LOT_ATOMS - fee) // LOT_ATOMS
    assert lots < 1_000
    assert (sized.quantity_lots, sized.released_atoms) == (lots, funded.held_atoms - lots * LOT_ATOMS)
    assert x.held(ALICE, BTC) == rest + lots * LOT_ATOMS
    check_invariants(x.engine)


def test_a_working_order_that_takes_pays_once_for_all_its_fills() -> None:
    x = TermsExchange()
    for price in (P + 1, P + 2, P + 3):
        x.place(BOB, S, price, 100)
    events = x.list_of(ALICE, OPO, buy(250, P + 3), sell(MARKET, 0))
    told = kinds(events)
    assert told.count("TradeExecuted") == 3
    assert told.count("PendingOrderFunded") == 2
    assert one(events, PendingOrderFunded).held_atoms == 250 * LOT_ATOMS
    assert one(events, PendingOrderPlaced).state == codes.STATE_WORKING
    # There is nobody to sell to.
    closed = one(events, OrderClosed)
    assert (closed.reason, closed.released_atoms) == (codes.CLOSED_NO_LIQUIDITY, 250 * LOT_ATOMS)
    check_invariants(x.engine)


def test_an_opoco_sells_once_by_one_of_two() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OPOCO, buy(), *pair())
    before = x.held(ALICE, BTC)
    events = x.place(BOB, S, P - 100, 1_000)
    assert kinds(events)[1:] == [
        "TradeExecuted", "PendingOrderFunded", "PendingOrderFunded", "PendingOrderFunded",
        "PendingOrderPlaced", "PendingOrderPlaced",
    ]  # fmt: skip
    sized = [one(events, PendingOrderFunded, place) for place in (1, 2)]
    assert [(x.quantity_lots, x.held_atoms, x.released_atoms) for x in sized] == [(1_000, 0, 0)] * 2
    assert x.held(ALICE, BTC) == before + 1_000 * LOT_ATOMS
    check_invariants(x.engine)
    triggered = x.trade_at(P - 200)
    assert one(triggered, OrderTriggered).held_atoms == 1_000 * LOT_ATOMS
    assert x.engine.order_lists == {}
    check_invariants(x.engine)


@pytest.mark.parametrize("how", ["list", "buy", "sell"])
def test_a_cancelled_list_gives_back_what_it_kept(how: str) -> None:
    x = TermsExchange()
    before = x.held(ALICE, BTC)
    x.list_of(ALICE, OPO, buy(), sell())
    x.place(BOB, S, P - 100, 300)
    assert x.held(ALICE, BTC) == before + 300 * LOT_ATOMS
    events = x.cancel_list(ALICE) if how == "list" else x.cancel_order(ALICE, how)
    assert kinds(events) == ["OrderClosed", "OrderClosed", "OrderListDone"]
    assert sorted(e.released_atoms for e in events if isinstance(e, OrderClosed))[0] == 300 * LOT_ATOMS
    assert (x.held(ALICE, BTC), x.held(ALICE, USDT)) == (before, 0)
    check_invariants(x.engine)


def test_what_the_filters_refuse_when_its_turn_comes_ends_with_its_list() -> None:
    x = TermsExchange()
    before = x.held(ALICE, BTC)
    # It would show more than it sells.
    x.list_of(ALICE, OPO, buy(), sell(iceberg=2_000))
    events = x.place(BOB, S, P - 100, 1_000)
    assert kinds(events)[-3:] == ["PendingOrderFunded", "OrderClosed", "OrderListDone"]
    closed = one(events, OrderClosed)
    assert (closed.status, closed.reason) == (codes.EXPIRED, codes.CLOSED_PENDING_REFUSED)
    assert closed.released_atoms == 1_000 * LOT_ATOMS
    assert x.held(ALICE, BTC) == before
    check_invariants(x.engine)


def test_a_market_order_sells_no_more_than_such_an_order_may() -> None:
    x = TermsExchange()
    x.engine.markets[BTCUSDT].rules.market_quantity_lots_max = 400
    x.list_of(ALICE, OPO, buy(), sell(SL, 0, stop=P - 500))
    sized = one(x.place(BOB, S, P - 100, 1_000), PendingOrderFunded, 1)
    assert (sized.quantity_lots, sized.released_atoms) == (400, 600 * LOT_ATOMS)
    check_invariants(x.engine)


def test_the_quantity_of_a_pending_order_cannot_be_amended() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OPO, buy(), sell())
    assert x.refusal(x.amend(ALICE, "sell", 500)) == codes.REJECT_AMEND_UNFUNDED
    assert kinds(x.amend(ALICE, "buy", 500)) == ["OrderAmended"]
    sized = one(x.place(BOB, S, P - 100, 500), PendingOrderFunded, 1)
    assert sized.quantity_lots == 500
    assert kinds(x.amend(ALICE, "sell", 400)) == ["OrderAmended"]
    check_invariants(x.engine)


@pytest.mark.parametrize(
    "legs",
    [
        (leg("buy", S, LIMIT, 1_000, P + 1), leg("sell", B, LIMIT, 0, P - 1)),
        (leg("buy", B, LIMIT, 1_000, P - 1), leg("sell", B, LIMIT, 0, P - 1)),
        (leg("buy", B, LIMIT, 1_000, P - 1), leg("sell", S, LIMIT, 1_000, P + 1)),
        (leg("buy", B, LIMIT, 0, P - 1), leg("sell", S, LIMIT, 0, P + 1)),
        (leg("buy", B, LIMIT, 1_000, P - 1), leg("sell", S, LIMIT, 0)),
    ],
)
def test_what_is_no_opo_is_refused_whole(legs: tuple[OrderLeg, ...]) -> None:
    x = TermsExchange()
    assert x.refusal(x.list_of(ALICE, OPO, *legs)) == codes.REJECT_MALFORMED
    assert x.engine.order_lists == {}


def test_an_oto_leaves_no_quantity_open() -> None:
    x = TermsExchange()
    assert x.refusal(x.list_of(ALICE, OTO, buy(), sell())) == codes.REJECT_MALFORMED


def test_a_price_out_of_range_is_refused_before_anything_is_bought() -> None:
    x = TermsExchange()
    (event,) = x.list_of(ALICE, OPO, buy(), sell(price=2**40))
    assert isinstance(event, CommandRejected)
    assert event.reason == codes.REJECT_PRICE_FILTER


def test_a_list_survives_a_snapshot_between_two_fills() -> None:
    x = TermsExchange()
    x.list_of(ALICE, OPOCO, buy(), *pair())
    x.place(BOB, S, P - 100, 300)
    x.engine = x.restored()
    events = x.place(BOB, S, P - 100, 700)
    assert one(events, PendingOrderFunded, 1).quantity_lots == 1_000
    assert not [event for event in events if isinstance(event, OrderListDone)]
    check_invariants(x.engine)


@pytest.mark.parametrize(
    "pending",
    [sell(price=P + 101), leg("sell", S, codes.STOP_LOSS_LIMIT, 0, P - 200, stop=P - 101)],
    ids=["its price", "its stop price"],
)
def test_pending_order_between_two_price_steps_is_refused_with_its_list(pending: OrderLeg) -> None:
    x = TermsExchange()
    x.apply(SetFilter(1, codes.FILTER_PRICE, BTCUSDT, 0, 1, 10**9, 2, 0))
    assert x.refusal(x.list_of(ALICE, OPO, buy(), pending)) == codes.REJECT_PRICE_FILTER


@pytest.mark.parametrize("version", [4, 5])
def test_pegged_order_that_is_refused_in_its_turn_ends_without_a_price(version: int) -> None:
    """Nobody was told of the price that it would have had; rules version 4 said it."""
    x = TermsExchange()
    x.engine.rules_version = version
    x.place(BOB, S, P + 200, 1_000, name="best")
    x.list_of(ALICE, OTO, buy(), leg("sell", S, LIMIT, 100_000, peg=codes.PEG_PRIMARY))
    without_bitcoin(x)
    closed = one(x.place(BOB, S, P - 100, 1_000), OrderClosed)
    assert closed.reason == codes.CLOSED_PENDING_REFUSED
    assert closed.price_ticks == (0 if version == 5 else P + 200)


@pytest.mark.parametrize("version", [4, 5])
def test_pegged_stop_that_cannot_pay_ends_without_a_price(version: int) -> None:
    """Its hold was reckoned at the stop price, with a margin; the book asks for more."""
    x = TermsExchange()
    x.engine.rules_version = version
    x.place(BOB, S, P + 400_000, 1_000, name="far")
    x.order(ALICE, leg("stop", B, codes.STOP_LOSS_LIMIT, 1_000, stop=P + 100, peg=codes.PEG_MARKET))
    closed = one(x.trade_at(P + 100), OrderClosed)
    assert closed.reason == codes.CLOSED_HOLD_SPENT
    assert closed.price_ticks == (0 if version == 5 else P + 400_000)
