"""Records of the event log, decoded once in a process, and their chain checked once: its tails share both.

In one process nine readers follow the same log, and the record that one has just decoded the others are about
to read. Outcomes and events are values: nobody changes one.
"""

from collections import OrderedDict
from typing import Final

from exchange.contracts.codec import ReadLink, read_links

__all__ = ["DecodedRecord", "DecodedRecords", "decoded_records"]

# Of encoded bytes; decoded they are five to ten times as much. Larger records are rare, and no tail is near
# another one then.
_KEPT_SIZE_BYTES_MAX: Final = 1_048_576
_RECORD_SIZE_BYTES_MAX: Final = 65_536


class DecodedRecord:
    """What a record holds. `follows`, once checked: (seq, hash) before it and behind it."""

    __slots__ = ("follows", "links", "outcomes")

    def __init__(self, links: tuple[ReadLink, ...]) -> None:
        self.links = links
        # Nearly all records have one.
        self.outcomes = (
            links[0].outcomes
            if len(links) == 1
            else tuple(outcome for link in links for outcome in link.outcomes)
        )
        self.follows: tuple[tuple[int, bytes], tuple[int, bytes]] | None = None


class DecodedRecords:
    """The newest records of a process, by their bytes; within a bound, the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, DecodedRecord] = OrderedDict()
        self._size_bytes = 0

    def of(self, value: bytes) -> DecodedRecord:
        """The record of these bytes. Raises CodecError."""
        record = self._kept.get(value)
        if record is not None:
            return record
        record = DecodedRecord(read_links(value).links)
        if len(value) <= _RECORD_SIZE_BYTES_MAX:
            self._kept[value] = record
            self._size_bytes += len(value)
            while self._size_bytes > _KEPT_SIZE_BYTES_MAX:
                oldest, _ = self._kept.popitem(last=False)
                self._size_bytes -= len(oldest)
        return record

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._size_bytes = 0


decoded_records: Final = DecodedRecords()
