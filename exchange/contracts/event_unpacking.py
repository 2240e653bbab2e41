"""Outcomes straight from a link of the event log: the frequent events here, what is unusual by the codec.

Only what the codec would take, and takes in the same way, each value in its shortest form as the engine
writes it; an outcome with anything else goes to the codec, which decides what it is
(`tests/unit/exchange/test_event_unpacking.py` holds both to the same outcomes). For readers that want neither
a tuple for every event nor all of a link at once.
"""

from mypy_extensions import i64, mypyc_attr

from exchange.contracts.codec import CodecError, CommandOutcome, outcome_in
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    Outcome,
    TimeKept,
    TradeExecuted,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.unpacking import Reader, UnusualError

__all__ = ["LinkReader", "ReadOutcome", "place_in"]


class ReadOutcome:
    """What one command has caused, as read; the next takes its place. Fields as in `CommandOutcome`."""

    def __init__(self) -> None:
        self.command_offset: i64 = 0
        self.command_index: i64 = 0
        self.time_ms: i64 = 0
        self.first_seq: i64 = 0
        self.events = Outcome()

    def take(self, outcome: CommandOutcome, first_seq: int) -> None:
        """An outcome that the codec has read."""
        self.command_offset = outcome.command_offset
        self.command_index = outcome.command_index
        self.time_ms = outcome.time_ms
        self.first_seq = first_seq
        self.events.begin()
        for recorded in outcome.events:
            self.events.append(recorded.event)


@mypyc_attr(acyclic=True)
class LinkReader:
    """The outcomes of a link's body, in order. Raises CodecError where the body is none."""

    def __init__(self, body: bytes) -> None:
        self._reader = Reader(body)
        try:
            self._left: i64 = self._reader.long_array()
        except UnusualError:
            raise CodecError("event record cannot be read: no link of the chain") from None
        if self._left == 0:
            raise CodecError("a link of the chain without outcomes")

    def read(self, outcome: ReadOutcome) -> bool:
        """Put the next outcome there; False: it was the last one. Raises CodecError."""
        reader = self._reader
        start = reader.place()
        try:
            _read_outcome(reader, outcome)
        except (UnusualError, UnicodeDecodeError):
            reader.go_to(start)
            self._read_unusual(start, outcome)
        if outcome.events.count == 0:
            raise CodecError("an outcome without events")
        self._left -= 1
        if self._left == 0 and not reader.at_end():
            raise CodecError("event record cannot be read: more than its outcomes")
        return self._left > 0

    def _read_unusual(self, start: i64, outcome: ReadOutcome) -> None:
        try:
            self._reader.skip()
        except UnusualError:
            raise CodecError("event record cannot be read: an outcome that is none") from None
        found = outcome_in(self._reader.since(start))
        outcome.take(found, found.events[0].seq if found.events else 0)


def place_in(body: bytes) -> tuple[int, int] | None:
    """Of a link's first outcome: the command record's offset, and the first event's seq.

    None where the head is not such as the engine writes it: the codec says what it is.
    """
    reader = Reader(body)
    try:
        if reader.long_array() == 0 or reader.array() != 6:
            return None
        offset = reader.integer()
        for _ in range(3):
            reader.integer()
        return offset, reader.integer()
    except UnusualError:
        return None


def _read_outcome(reader: Reader, outcome: ReadOutcome) -> None:
    if reader.array() != 6:
        raise UnusualError
    outcome.command_offset, outcome.command_index = reader.integer(), reader.integer()
    reader.integer()  # the command's id
    outcome.time_ms, outcome.first_seq = reader.integer(), reader.integer()
    count, events = reader.array(), outcome.events
    events.begin()
    while count > 0:
        if reader.array() != 2:
            raise UnusualError
        events.append(_event(reader))
        count -= 1


def _event(reader: Reader) -> Event:
    tag, fields = reader.integer(), reader.array()
    if tag == 5 and fields == 13:
        return _order_accepted(reader)
    if tag == 7 and fields == 11:
        return _order_closed(reader)
    if tag == 6 and fields == 14:
        return _trade_executed(reader)
    if tag == 1 and fields == 5:
        return CommandRejected(
            reader.integer(), reader.integer(), reader.integer(), reader.text(), reader.text()
        )
    if tag == 21 and fields == 1:
        return TimeKept(reader.integer())
    if tag == 45 and fields == 17:
        return _trade_with_discount(reader)
    if tag == 8 and fields == 4:
        return DepositCredited(reader.integer(), reader.integer(), reader.integer(), reader.integer())
    raise UnusualError


def _order_accepted(reader: Reader) -> OrderAccepted:
    return OrderAccepted(
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.text(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
    )


def _order_closed(reader: Reader) -> OrderClosed:
    return OrderClosed(
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.text(),
        reader.integer(),
    )


def _trade_executed(reader: Reader) -> TradeExecuted:
    return TradeExecuted(
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
    )


def _trade_with_discount(reader: Reader) -> TradeExecutedWithDiscount:
    return TradeExecutedWithDiscount(
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
        reader.integer(),
    )
