"""Amendments: an order becomes smaller, keeps its place, and gives back what it need not hold."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import TradeExecuted
from exchange.contracts.order_events import OrderAmended
from matching_engine.core.engine_limits import EngineLimits
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, USDT, P, TermsExchange, kinds, leg, one
from tests.unit.engine.test_trading import UNIT

B, S = codes.BUY, codes.SELL


def test_an_amended_order_keeps_its_place_and_gives_money_back() -> None:
    x = TermsExchange()
    x.place(ALICE, B, P - 10, 1_000, name="first")
    x.place(BOB, B, P - 10, 500, name="second")
    amended = one(x.amend(ALICE, "first", 400, "renamed"), OrderAmended)
    assert (amended.quantity_lots, amended.unbooked_lots) == (400, 600)
    assert amended.released_atoms == (P - 10) * 600 * UNIT
    assert amended.client_order_id == "renamed"
    assert x.book(B) == [(P - 10, 900)]
    trade = one(x.place(BOB, S, P - 10, 450, stp=codes.STP_NONE), TradeExecuted)
    assert (trade.buyer_user_id, trade.quantity_lots) == (ALICE, 400)
    assert x.held(ALICE, USDT) == 0


def test_the_old_name_is_free_and_the_new_one_taken() -> None:
    x = TermsExchange()
    x.place(ALICE, B, P - 10, 1_000, name="a")
    x.amend(ALICE, "a", 900, "b")
    assert kinds(x.place(ALICE, B, P - 20, 1_000, name="a")) == ["OrderAccepted"]
    assert x.refusal(x.amend(ALICE, "a", 900, "b")) == codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    assert kinds(x.cancel_order(ALICE, "b")) == ["OrderClosed"]


def test_what_was_filled_counts_towards_the_new_quantity() -> None:
    x = TermsExchange()
    x.place(ALICE, B, P - 10, 1_000, name="a")
    x.place(BOB, S, P - 10, 300)
    assert x.refusal(x.amend(ALICE, "a", 300)) == codes.REJECT_NO_CHANGE
    assert one(x.amend(ALICE, "a", 500), OrderAmended).unbooked_lots == 500
    assert x.book(B) == [(P - 10, 200)]
    restriction = codes.CANCEL_ONLY_NEW
    assert x.refusal(x.cancel_order(ALICE, "a", restriction)) == codes.REJECT_CANCEL_RESTRICTED


@pytest.mark.parametrize(
    ("lots", "reason"),
    [(1_000, codes.REJECT_NO_CHANGE), (1_001, codes.REJECT_AMEND_INCREASES), (0, codes.REJECT_MALFORMED),
     (1, codes.REJECT_NOTIONAL)],
)  # fmt: skip
def test_what_is_no_amendment_is_refused(lots: int, reason: int) -> None:
    x = TermsExchange()
    x.place(ALICE, B, P - 10, 1_000, name="a")
    assert x.refusal(x.amend(ALICE, "a", lots)) == reason
    assert x.refusal(x.amend(BOB, "a", 500)) == codes.REJECT_UNKNOWN_ORDER


def test_amendments_of_an_order_are_counted() -> None:
    x = TermsExchange(EngineLimits(order_amends_max=2))
    x.place(ALICE, B, P - 10, 1_000, name="a")
    for lots in (900, 800):
        x.amend(ALICE, "a", lots)
        x.engine = x.restored()
    assert x.refusal(x.amend(ALICE, "a", 700)) == codes.REJECT_MAX_NUM_ORDER_AMENDS


def test_an_iceberg_loses_hidden_lots_first() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, codes.LIMIT, 1_000, P + 10, iceberg=300))
    assert one(x.amend(ALICE, "a", 500), OrderAmended).unbooked_lots == 0
    assert x.book(S) == [(P + 10, 300)]
    assert one(x.amend(ALICE, "a", 200), OrderAmended).unbooked_lots == 100
    assert x.book(S) == [(P + 10, 200)]


def test_the_legs_of_an_oco_change_together() -> None:
    x = TermsExchange()
    above = leg("stop", B, codes.STOP_LOSS_LIMIT, 1_000, P + 200, stop=P + 100)
    below = leg("limit", B, codes.LIMIT_MAKER, 1_000, P - 100)
    x.list_of(ALICE, codes.CONTINGENCY_OCO, above, below)
    events = x.amend(ALICE, "limit", 400, "new")
    assert kinds(events) == ["OrderAmended", "OrderAmended"]
    assert [one(events, OrderAmended, n).client_order_id for n in (0, 1)] == ["stop", "new"]
    assert x.held(ALICE, USDT) == (P + 200) * 400 * UNIT
    assert kinds(x.trade_at(P + 100))[-1] == "OrderTriggered"
    assert x.held(ALICE, USDT) == (P + 200) * 400 * UNIT


def test_a_waiting_order_is_amended_too() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, codes.STOP_LOSS, 1_000, stop=P - 10))
    assert one(x.amend(ALICE, "a", 400), OrderAmended).released_atoms == 600 * 1_000
    assert x.held(ALICE, BTC) == 400 * 1_000
