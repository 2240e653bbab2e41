"""The sizes in exchange/contracts/limits.py are those of the largest messages that the codec makes."""

import pytest

from exchange.contracts import limits
from exchange.contracts.codec import CommandOutcome, EventBatch, RecordedEvent, encode_commands, encode_events
from exchange.contracts.commands import Command
from exchange.contracts.events import (
    CommandRejected,
    Event,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    TradingModeChanged,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.limits import INTEGER_MAX, TEXT_LENGTH_MAX
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)
from exchange.contracts.tables import COMMANDS, EVENTS, LEG_FIELDS, LEGS_FIELD, TEXT_FIELDS

WIDEST = "\U0001f600" * TEXT_LENGTH_MAX  # four bytes a character


def largest(names: tuple[str, ...]) -> list[object]:
    leg = OrderLeg(WIDEST[: limits.LEG_NAME_LENGTH_MAX], *[INTEGER_MAX] * (len(LEG_FIELDS) - 1))
    legs = {LEGS_FIELD: [leg] * limits.LEGS_MAX}
    return [legs.get(name, WIDEST if name in TEXT_FIELDS else INTEGER_MAX) for name in names]


def event_size(event: Event) -> int:
    """Of one more such event in an outcome."""
    recorded = RecordedEvent(INTEGER_MAX, b"h" * 16, event)

    def size(count: int) -> int:
        outcome = CommandOutcome(1, 1, 1, 1, (recorded,) * count)
        return len(encode_events(EventBatch(1, 1, (outcome,))))

    return size(2) - size(1)


# A refusal is the only event of its outcome.
SHARING = [kind for kind, _ in EVENTS.values() if kind is not CommandRejected]


@pytest.mark.parametrize("kind", SHARING, ids=lambda kind: kind.__name__)
def test_no_event_is_larger_than_reckoned(kind: type[Event]) -> None:
    names = next(names for cls, names in EVENTS.values() if cls is kind)
    texts = sum(name in TEXT_FIELDS for name in names)
    size = event_size(kind(*largest(names)))
    assert size <= limits.event_size_bytes_max(len(names) - texts, texts)
    known = {
        TradeExecuted: limits.TRADE_SIZE_BYTES_MAX,
        TradeExecutedWithDiscount: limits.TRADE_SIZE_BYTES_MAX,
        OrderWithTermsAccepted: limits.TERMS_ACCEPTED_SIZE_BYTES_MAX,
        OrderListPlaced: limits.LIST_PLACED_SIZE_BYTES_MAX,
        OrderListDone: limits.LIST_DONE_SIZE_BYTES_MAX,
        IcebergRefilled: limits.REFILLED_SIZE_BYTES_MAX,
        SelfTradeDecremented: limits.TRADE_SIZE_BYTES_MAX,
        OrderTriggered: limits.TRIGGERED_SIZE_BYTES_MAX,
        PendingOrderFunded: limits.FUNDED_SIZE_BYTES_MAX,
        PendingOrderPlaced: limits.PENDING_PLACED_SIZE_BYTES_MAX,
        TrailingStarted: limits.TRIGGERED_SIZE_BYTES_MAX,
        OrderAccepted: limits.ACCEPTED_SIZE_BYTES_MAX,
        OrderClosed: limits.CLOSED_SIZE_BYTES_MAX,
        TradingModeChanged: limits.MODE_CHANGED_SIZE_BYTES_MAX,
    }
    assert size <= known.get(kind, size)


@pytest.mark.parametrize("kind", [kind for kind, _ in COMMANDS.values()], ids=lambda kind: kind.__name__)
def test_a_tick_of_the_largest_commands_fits_a_record(kind: type[Command]) -> None:
    names = next(names for cls, names in COMMANDS.values() if cls is kind)
    command = kind(*largest(names))  # type: ignore[arg-type]
    record = encode_commands([command] * limits.COMMANDS_PER_TICK_MAX)
    assert len(record) <= limits.COMMANDS_PER_TICK_MAX * limits.COMMAND_SIZE_BYTES_MAX + 16
    assert len(record) <= limits.RECORD_SIZE_BYTES_MAX


def test_frames_around_events_are_no_larger_than_reckoned() -> None:
    recorded = RecordedEvent(INTEGER_MAX, b"h" * 16, TradingModeChanged(INTEGER_MAX, INTEGER_MAX))
    count = limits.EVENTS_PER_OUTCOME_MAX
    outcome = CommandOutcome(INTEGER_MAX, INTEGER_MAX, INTEGER_MAX, INTEGER_MAX, (recorded,) * count)
    size = len(encode_events(EventBatch(INTEGER_MAX, INTEGER_MAX, (outcome,))))
    assert size <= limits.outcome_record_size_bytes_max(count * limits.MODE_CHANGED_SIZE_BYTES_MAX)
