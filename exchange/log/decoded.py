"""Records of the event log, decoded once in a process, and their chain checked once: its tails share both.

In one process nine readers follow the same log, and the record that one has just decoded the others are about
to read. Outcomes and events are values: nobody changes one.
"""

from collections import OrderedDict
from typing import Final

from exchange.contracts.codec import CommandOutcome, decode_events

__all__ = ["DecodedRecord", "decoded"]

# Of encoded bytes; decoded they are five to ten times as much. Larger records are rare, and no tail is near
# another one then.
_KEPT_SIZE_BYTES_MAX: Final = 1_048_576
_RECORD_SIZE_BYTES_MAX: Final = 65_536


class DecodedRecord:
    """What a record holds. `follows`, once checked: (seq, hash) before it and behind it."""

    __slots__ = ("follows", "outcomes")

    def __init__(self, outcomes: tuple[CommandOutcome, ...]) -> None:
        self.outcomes = outcomes
        self.follows: tuple[tuple[int, bytes], tuple[int, bytes]] | None = None


_kept: OrderedDict[bytes, DecodedRecord] = OrderedDict()
_kept_size_bytes = 0


def decoded(value: bytes) -> DecodedRecord:
    """The record of these bytes. Raises CodecError."""
    global _kept_size_bytes
    record = _kept.get(value)
    if record is not None:
        return record
    record = DecodedRecord(decode_events(value).outcomes)
    if len(value) <= _RECORD_SIZE_BYTES_MAX:
        _kept[value] = record
        _kept_size_bytes += len(value)
        while _kept_size_bytes > _KEPT_SIZE_BYTES_MAX:
            oldest, _ = _kept.popitem(last=False)
            _kept_size_bytes -= len(oldest)
    return record
