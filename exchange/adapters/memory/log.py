"""A log in memory: for unit tests and the simulator, never for a process that must remember."""

import asyncio
from collections.abc import Callable

from exchange.ports.world import (
    Headers,
    LabelledRecord,
    LogError,
    LogProbe,
    LogReader,
    LogRecord,
    LogWriter,
    check_record,
)

__all__ = ["MemoryLog"]

_READ_RECORDS_MAX = 500


class MemoryLog:
    """A `Log` that keeps its records in a list. `clock_ms` stamps them."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self.records: list[LogRecord] = []
        self._clock_ms = clock_ms
        self._grown = asyncio.Condition()

    async def writer(self) -> LogWriter:
        """Open a writer."""
        return _MemoryWriter(self)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        """Open a reader at `offset`."""
        if not 0 <= offset <= len(self.records):
            raise LogError(f"offset {offset} is beyond the log's end {len(self.records)}")
        return _MemoryReader(self, offset, gather_ms)

    async def first_offset(self) -> int:
        """Nothing is ever removed."""
        return 0

    async def probe(self) -> LogProbe:
        """Open a probe."""
        return _MemoryProbe(self)

    async def end_offset(self) -> int:
        """Number of records."""
        return len(self.records)

    async def last(self) -> LogRecord | None:
        """The newest record."""
        return self.records[-1] if self.records else None

    async def _append(self, value: bytes, headers: Headers = ()) -> int:
        check_record(value)
        offset = len(self.records)
        self.records.append(LabelledRecord.of(offset, self._clock_ms(), value, headers))
        async with self._grown:
            self._grown.notify_all()
        return offset

    async def _read(self, offset: int, timeout_ms: int) -> list[LogRecord]:
        if offset >= len(self.records):
            try:
                async with asyncio.timeout(timeout_ms / 1000), self._grown:
                    await self._grown.wait_for(lambda: offset < len(self.records))
            except TimeoutError:
                return []
        return self.records[offset : offset + _READ_RECORDS_MAX]


class _MemoryWriter:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._is_closed = False

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        if self._is_closed:
            raise LogError("the writer is closed")
        return await self._log._append(value, headers)

    async def close(self) -> None:
        self._is_closed = True


class _MemoryReader:
    def __init__(self, log: MemoryLog, offset: int, gather_ms: int) -> None:
        self._log = log
        self._offset = offset
        self._gather_s = gather_ms / 1000
        self._next_look_s = 0.0

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        loop = asyncio.get_running_loop()
        pause_s = self._next_look_s - loop.time()
        if pause_s > 0:
            await asyncio.sleep(min(pause_s, timeout_ms / 1000))
            timeout_ms -= round(pause_s * 1000)
            if timeout_ms < 0:
                return []
        records = await self._log._read(self._offset, timeout_ms)
        self._offset += len(records)
        if self._gather_s and self._offset == len(self._log.records):
            self._next_look_s = loop.time() + self._gather_s
        return records

    async def close(self) -> None:
        return None


class _MemoryProbe:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def end_offset(self) -> int:
        return await self._log.end_offset()

    async def record(self, offset: int) -> LogRecord:
        return self._log.records[offset]

    async def close(self) -> None:
        return None
