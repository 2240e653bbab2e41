"""Streams of a real engine in which one thing is wrong."""

from collections.abc import Callable, Sequence
from typing import Any

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, RecordedEvent, field_names
from exchange.contracts.commands import (
    CancelOrder,
    CreditDeposit,
    PlaceOrder,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
)
from exchange.contracts.events import Event
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import AuditState, Breach
from tests.event_streams import ONE, EngineStream

ALICE, BOB = 1001, 1002
BTC, USDT = 1, 3
BTCUSDT = 1
PRICE = 5_000_000
UNIT_ATOMS = 10  # quote atoms of one tick times one lot
LOTS = 1_000


def order(
    command_id: int,
    user_id: int,
    side: int,
    price_ticks: int,
    lots: int = LOTS,
    *,
    order_type: int = codes.LIMIT,
    time_in_force: int = codes.GTC,
) -> PlaceOrder:
    """An order named after its command."""
    name = f"o{command_id}"
    return PlaceOrder(
        command_id, user_id, BTCUSDT, name, side, order_type, time_in_force, price_ticks, lots, 0, 1, 0
    )


def a_days_trading() -> EngineStream:
    """Deposits, bids and asks, trades with price improvement, a cancellation, withdrawals."""
    stream = EngineStream()
    stream.apply(
        CreditDeposit(1, ALICE, BTC, 10 * ONE, 1),
        CreditDeposit(2, ALICE, USDT, 1_000_000 * ONE, 2),
        CreditDeposit(3, BOB, BTC, 10 * ONE, 3),
        CreditDeposit(4, BOB, USDT, 1_000_000 * ONE, 4),
        order(5, ALICE, codes.SELL, PRICE),
        order(6, ALICE, codes.SELL, PRICE + 5),
        order(7, ALICE, codes.BUY, PRICE - 10),
        # Takes the first ask and half of the second, at better prices than it would pay.
        order(8, BOB, codes.BUY, PRICE + 10, LOTS + LOTS // 2),
        order(9, BOB, codes.BUY, PRICE - 5),
        CancelOrder(10, BOB, BTCUSDT, 0, "o9", "x", codes.CANCEL_ANY, 0),
        order(11, BOB, codes.BUY, 0, 100, order_type=codes.MARKET),
        ReserveWithdrawal(12, ALICE, USDT, 5 * ONE, 1, "address"),
        ReserveWithdrawal(13, ALICE, USDT, 7 * ONE, 2, "address"),
        SettleWithdrawal(14, 1),
        ReleaseWithdrawal(15, 2),
        order(16, BOB, codes.SELL, PRICE - 10, LOTS // 4, time_in_force=codes.IOC),
    )
    return stream


def with_fields(event: Event, **changes: Any) -> Event:
    """The event with other values in some fields."""
    values = {name: getattr(event, name) for name in field_names(type(event))}
    assert changes.keys() <= values.keys()
    return type(event)(**{**values, **changes})


def changed(
    outcomes: Sequence[CommandOutcome],
    kind: type[Event],
    change: Callable[[Any], Sequence[Event]],
    place: int = 0,
) -> list[CommandOutcome]:
    """The stream with the `place`-th event of a kind put differently; later events move up in seq."""
    found, seq, changed_outcomes = -1, 0, []
    for outcome in outcomes:
        events: list[Event] = []
        for recorded in outcome.events:
            found += type(recorded.event) is kind
            is_it = type(recorded.event) is kind and found == place
            events += change(recorded.event) if is_it else [recorded.event]
        recorded_events = tuple(RecordedEvent(seq + n, b"", event) for n, event in enumerate(events, 1))
        seq += len(events)
        if recorded_events:
            changed_outcomes.append(outcome._replace(events=recorded_events))
    assert found >= place, f"no such {kind.__name__}"
    return changed_outcomes


def first_breaches(outcomes: Sequence[CommandOutcome], state: AuditState | None = None) -> Sequence[Breach]:
    """What the first bad outcome breaks; nothing when all are good."""
    audit = Audit(state or AuditState())
    for outcome in outcomes:
        breaches = audit.apply(outcome)
        if breaches:
            return breaches
    return ()
