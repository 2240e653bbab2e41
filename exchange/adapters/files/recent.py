"""The newest records of an embedded log in memory, where the readers of one process find them. Pure."""

from collections.abc import Sequence
from typing import Final

from exchange.ports.world import LogRecord

__all__ = ["RecentRecords"]

_RECORDS_MAX: Final = 4_096
_SIZE_BYTES_MAX: Final = 4 * 1_048_576
_READ_SIZE_BYTES: Final = 1_048_576


class RecentRecords:
    """Records in order without a gap; the oldest are forgotten beyond either bound, in steps."""

    def __init__(self, next_offset: int) -> None:
        self._first_offset = next_offset
        self._records: list[LogRecord] = []
        self._size_bytes = 0

    def add(self, records: Sequence[LogRecord]) -> None:
        """What follows on the newest."""
        self._records += records
        self._size_bytes += sum(len(record.value) for record in records)
        # Twice the bound before it is cut to it: a list that loses its head moves all of the rest.
        if len(self._records) > 2 * _RECORDS_MAX or self._size_bytes > 2 * _SIZE_BYTES_MAX:
            self._cut()

    def since(self, offset: int) -> list[LogRecord]:
        """About a mebibyte of records from `offset` on, at least one; none when the first is not here."""
        first = offset - self._first_offset
        if not 0 <= first < len(self._records):
            return []
        size_bytes = 0
        for end in range(first, len(self._records)):
            size_bytes += len(self._records[end].value)
            if size_bytes >= _READ_SIZE_BYTES:
                return self._records[first : end + 1]
        return self._records[first:]

    def forget_before(self, offset: int) -> None:
        """What was removed from the log is gone from here, too."""
        if offset > self._first_offset:
            self._drop(min(offset - self._first_offset, len(self._records)))

    def _cut(self) -> None:
        count, size_bytes = 0, self._size_bytes
        while len(self._records) - count > _RECORDS_MAX or size_bytes > _SIZE_BYTES_MAX:
            size_bytes -= len(self._records[count].value)
            count += 1
        self._drop(count)

    def _drop(self, count: int) -> None:
        self._size_bytes -= sum(len(record.value) for record in self._records[:count])
        del self._records[:count]
        self._first_offset += count
