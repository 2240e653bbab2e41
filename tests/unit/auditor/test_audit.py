"""Promises of the audit: a sound stream has no breach, and every planted one is found."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_commands import SetMarketFees
from exchange.contracts.fee_events import MarketFeesChanged
from exchange.contracts.tables import EVENTS
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.recount import recount
from services.auditor.audit.state import AuditState
from tests.event_streams import ONE, RandomTrading
from tests.unit.auditor.planted import (
    ALICE,
    BOB,
    BTC,
    BTCUSDT,
    PRICE,
    UNIT_ATOMS,
    USDT,
    a_days_trading,
    changed,
    first_breaches,
    order,
    with_fields,
)

COMMANDS = 20_000
Change = Callable[[Any], Sequence[Event]]


def test_a_days_trading_is_sound() -> None:
    stream = a_days_trading()
    kinds = {type(recorded.event) for outcome in stream.outcomes for recorded in outcome.events}
    assert {TradeExecuted, OrderClosed, WithdrawalSettled, WithdrawalReleased} <= kinds
    state = AuditState()
    assert first_breaches(stream.outcomes, state) == ()
    assert recount(state) == []
    assert state.seq == stream.seq


@pytest.mark.parametrize("seed", [501, pytest.param(502, marks=pytest.mark.slow)])
def test_random_commands_are_sound_and_derived_as_the_engine_has_them(seed: int) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    trading.run(COMMANDS)
    state = AuditState()
    audit = Audit(state)
    trades = 0
    for outcome in trading.stream.outcomes:
        assert not audit.apply(outcome)
        trades += sum(type(recorded.event) is TradeExecuted for recorded in outcome.events)
    assert trades > 1_000
    assert recount(state) == []
    engine = trading.stream.engine
    for user_id, assets in engine.accounts.balances.items():
        for asset_id, balance in assets.items():
            derived = state.balances[user_id, asset_id]
            assert (derived.available, derived.held) == (balance.available, balance.held)
    for asset_id, totals in engine.accounts.totals.items():
        asset = state.assets[asset_id]
        assert (asset.fees, asset.deposited, asset.withdrawn) == (
            totals.fees,
            totals.deposited,
            totals.withdrawn,
        )
    assert {o.order_id: (o.open_lots, o.held_atoms) for o in engine.orders.values()} == {
        o.order_id: (o.open_lots, o.hold_atoms) for o in state.orders.values()
    }


def fields(**changes: Callable[[int], Any]) -> Change:
    """The event with each named field computed from its old value."""
    return lambda event: [
        with_fields(event, **{name: change(getattr(event, name)) for name, change in changes.items()})
    ]


def nothing(_: Event) -> list[Event]:
    return []


def twice(event: Event) -> list[Event]:
    return [event, event]


PLANTED: list[tuple[str, str, type[Event], Change, int]] = [
    ("buyer's fee above the rule", "I4", TradeExecuted, fields(buyer_fee_atoms=lambda v: v + 1), 0),
    ("seller's fee above the rule", "I4", TradeExecuted, fields(seller_fee_atoms=lambda v: v + 1), 1),
    ("trade pays too little", "I4", TradeExecuted, fields(quote_atoms=lambda v: v - 1), 0),
    ("trade delivers too much", "I4", TradeExecuted, fields(base_atoms=lambda v: v + 1), 0),
    ("repeated trade id", "I4", TradeExecuted, fields(trade_id=lambda v: v - 1), 1),
    ("skipped trade id", "I4", TradeExecuted, fields(trade_id=lambda v: v + 1), 0),
    ("trade settled twice", "I4", TradeExecuted, twice, 0),
    ("trade at another price than the maker's", "I4", TradeExecuted, fields(price_ticks=lambda v: v + 1), 0),
    ("trade of another's order", "I4", TradeExecuted, fields(seller_user_id=lambda v: v + 5), 0),
    ("trade of an order that is not open", "I8", TradeExecuted, fields(seller_order_id=lambda v: 999), 0),
    ("the maker is called the taker", "I8", TradeExecuted, fields(taker_side=lambda v: 3 - v), 0),
    ("more filled than ordered", "I8", TradeExecuted, fields(quantity_lots=lambda v: v + 1), 0),
    ("price improvement kept", "I3", TradeExecuted, fields(buyer_released_atoms=lambda v: 0), 0),
    (
        "price improvement released twice",
        "I3",
        TradeExecuted,
        fields(buyer_released_atoms=lambda v: 2 * v),
        0,
    ),
    ("lost trade", "I8", TradeExecuted, nothing, 0),
    ("missing hold", "I3", OrderAccepted, fields(held_atoms=lambda v: 0), 0),
    ("too small a hold", "I3", OrderAccepted, fields(held_atoms=lambda v: v - 1), 2),
    ("order id given twice", "I8", OrderAccepted, fields(order_id=lambda v: v - 1), 1),
    ("client order id open twice", "I11", OrderAccepted, fields(client_order_id=lambda v: "o5"), 1),
    ("more on the book than is open", "I8", OrderAccepted, fields(resting_lots=lambda v: v + 1), 0),
    ("less on the book than is open", "I8", OrderAccepted, fields(resting_lots=lambda v: 0), 0),
    ("an order that may not rest", "I8", OrderAccepted, fields(time_in_force=lambda v: codes.IOC), 0),
    ("a maker that takes", "I8", OrderAccepted, fields(order_type=lambda v: codes.LIMIT_MAKER), 3),
    ("order without a side", "I8", OrderAccepted, fields(side=lambda v: 7), 0),
    ("order in no market", "I8", OrderAccepted, fields(market_id=lambda v: 9), 0),
    ("double release", "I3", OrderClosed, fields(released_atoms=lambda v: 2 * v), 0),
    ("hold not given back", "I3", OrderClosed, fields(released_atoms=lambda v: 0), 0),
    ("closed twice", "I8", OrderClosed, twice, 0),
    ("closed as filled", "I8", OrderClosed, fields(status=lambda v: codes.FILLED), 0),
    ("closed as another's", "I8", OrderClosed, fields(user_id=lambda v: v + 1), 0),
    ("lots left on the book", "I8", OrderClosed, fields(unbooked_lots=lambda v: 0), 0),
    ("more taken from the book than there was", "I6", OrderClosed, fields(unbooked_lots=lambda v: 9 * v), 0),
    ("deposit credited twice", "I11", DepositCredited, twice, 0),
    ("money of no asset", "I1", DepositCredited, fields(asset_id=lambda v: 99), 0),
    ("negative balance", "I2", WithdrawalReserved, fields(amount_atoms=lambda v: 10**15), 0),
    ("withdrawal reserved twice", "I11", WithdrawalReserved, twice, 0),
    ("withdrawal settled twice", "I3", WithdrawalSettled, twice, 0),
    ("more left than was held", "I3", WithdrawalSettled, fields(amount_atoms=lambda v: v + 1), 0),
    ("settled as another's", "I3", WithdrawalSettled, fields(user_id=lambda v: v + 1), 0),
    ("withdrawal released twice", "I3", WithdrawalReleased, twice, 0),
    ("released too much", "I3", WithdrawalReleased, fields(amount_atoms=lambda v: v + 1), 0),
    ("market registered twice", "I8", MarketRegistered, twice, 0),
    ("market with a wrong unit", "I4", MarketRegistered, fields(notional_unit_atoms=lambda v: v + 1), 0),
]


@pytest.mark.parametrize(
    ("invariant", "kind", "change", "place"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED]
)
def test_planted_breach_is_found(invariant: str, kind: type[Event], change: Change, place: int) -> None:
    breaches = first_breaches(changed(a_days_trading().outcomes, kind, change, place))
    assert invariant in {breach.invariant for breach in breaches}, breaches


def test_lower_fee_than_the_rule_is_no_breach() -> None:
    outcomes = changed(a_days_trading().outcomes, TradeExecuted, fields(buyer_fee_atoms=lambda v: v - 1))
    assert first_breaches(outcomes) == ()


def test_fee_by_the_rate_of_before_is_found_once_the_market_has_another() -> None:
    stream = a_days_trading()
    stream.apply(
        SetMarketFees(90, BTCUSDT, 100, 100),
        order(91, ALICE, codes.SELL, PRICE),
        order(92, BOB, codes.BUY, PRICE, 100),
    )
    assert first_breaches(stream.outcomes) == ()
    last = sum(type(r.event) is TradeExecuted for o in stream.outcomes for r in o.events) - 1
    more = fields(buyer_fee_atoms=lambda v: 10 * v)
    assert invariants(changed(stream.outcomes, TradeExecuted, more, last)) == {"I4"}
    assert invariants([*stream.outcomes[:-1], *changed(stream.outcomes[-1:], TradeExecuted, more)]) == {"I4"}


def test_fees_that_no_market_can_have_are_found() -> None:
    for changed_fees in (MarketFeesChanged(99, 0, 0), MarketFeesChanged(BTCUSDT, 0, 1_000_001)):
        stream = a_days_trading()
        stream.append(changed_fees)
        assert invariants(stream.outcomes) == {"I8"}


def replaced(outcomes: Sequence[CommandOutcome], place: int, *others: CommandOutcome) -> list[CommandOutcome]:
    return [*outcomes[:place], *others, *outcomes[place + 1 :]]


def invariants(outcomes: Sequence[CommandOutcome]) -> set[str]:
    return {breach.invariant for breach in first_breaches(outcomes)}


def test_command_has_exactly_one_outcome() -> None:
    outcomes = a_days_trading().outcomes
    nine = outcomes[9]
    assert invariants(replaced(outcomes, 9, nine, nine)) == {"I10", "I11"}
    assert "I10" in invariants(replaced(outcomes, 9))
    assert "I10" in invariants(replaced(outcomes, 9, nine._replace(command_index=1)))
    assert "I10" in invariants(replaced(outcomes, 9, nine._replace(command_offset=3)))
    refusal = nine.events[0]._replace(event=CommandRejected(ALICE, 0, 1, "", ""))
    both = nine._replace(events=(*nine.events, refusal))
    assert "I10" in invariants(replaced(outcomes, 9, both))


def test_commands_of_one_record_are_counted_by_their_index() -> None:
    outcomes = a_days_trading().outcomes
    second = outcomes[1]._replace(command_offset=0, command_index=1)
    third = outcomes[2]._replace(command_offset=1, command_index=0)
    assert first_breaches([outcomes[0], second, third]) == ()


def test_clock_that_goes_back_is_found() -> None:
    outcomes = a_days_trading().outcomes
    assert invariants(replaced(outcomes, 9, outcomes[9]._replace(time_ms=outcomes[8].time_ms - 1))) == {"I7"}


def test_crossed_book_is_found() -> None:
    stream = a_days_trading()
    hold = (PRICE + 9) * UNIT_ATOMS * 100
    stream.append(
        OrderAccepted(99, ALICE, BTCUSDT, "cross", codes.BUY, 1, 1, PRICE + 9, 100, 0, 1, hold, 100)
    )
    assert invariants(stream.outcomes) == {"I6"}


def test_trade_past_a_better_price_is_found() -> None:
    stream = a_days_trading()
    stream.apply(
        order(100, ALICE, codes.SELL, PRICE + 50),
        order(101, ALICE, codes.SELL, PRICE + 60),
        order(102, ALICE, codes.BUY, PRICE + 60, 100),
    )
    # Somebody's own order stands before the best one, and is passed over.
    traded = stream.outcomes[-1].events[1].event
    assert isinstance(traded, TradeExecuted)
    best = traded.price_ticks
    other = next(o for o in stream.engine.orders.values() if o.side == codes.SELL and o.price_ticks != best)
    passing = fields(
        price_ticks=lambda v: other.price_ticks,
        seller_order_id=lambda v: other.order_id,
        quote_atoms=lambda v: other.price_ticks * UNIT_ATOMS * 100,
        buyer_released_atoms=lambda v: (PRICE + 60 - other.price_ticks) * UNIT_ATOMS * 100,
    )
    trades = sum(type(r.event) is TradeExecuted for o in stream.outcomes for r in o.events)
    outcomes = changed(stream.outcomes, TradeExecuted, passing, trades - 1)
    assert "I9" in invariants(outcomes)


def test_order_in_a_halted_market_is_found() -> None:
    stream = a_days_trading()
    halt = TradingModeChanged(BTCUSDT, codes.MODE_HALTED)
    halted = stream.outcomes[-2].events[0]._replace(event=halt)
    outcomes = replaced(
        stream.outcomes, len(stream.outcomes) - 2, stream.outcomes[-2]._replace(events=(halted,))
    )
    assert "I8" in invariants(outcomes)


def test_money_out_of_nothing_in_the_auditors_own_memory_is_found() -> None:
    stream = a_days_trading()
    state = AuditState()
    assert first_breaches(stream.outcomes, state) == ()
    state.balances[ALICE, BTC].available += 1
    assert {breach.invariant for breach in recount(state)} == {"I1"}
    state.balances[ALICE, USDT].held += 1
    assert {breach.invariant for breach in recount(state)} == {"I1", "I3"}
    stream.append(DepositCredited(ALICE, BTC, ONE, 77))
    assert {breach.invariant for breach in Audit(state).apply(stream.outcomes[-1])} == {"I1"}


def test_every_kind_of_event_is_audited() -> None:
    assert Audit(AuditState()).known_kinds == {kind for kind, _ in EVENTS.values()}


def test_rules_that_the_auditor_does_not_know_are_found() -> None:
    outcome = a_days_trading().outcomes[0]
    for version, found in ((0, {"I8"}), (1, set()), (3, set()), (4, set()), (5, set()), (6, {"I8"})):
        activated = outcome.events[0]._replace(event=RulesActivated(version))
        assert invariants([outcome._replace(events=(activated,))]) == found


def test_event_of_an_unknown_kind_is_found() -> None:
    outcome = a_days_trading().outcomes[0]
    audit = Audit(AuditState())
    # A compiled event has no kinds but its own: one is forgotten instead.
    del audit._rare[type(outcome.events[0].event)]
    assert {breach.invariant for breach in audit.apply(outcome)} == {"I8"}
