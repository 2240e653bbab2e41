"""Reading an embedded log: the newest records from memory, older ones from their files."""

import asyncio
from typing import Protocol

from exchange.adapters.files.log_files import LogFile
from exchange.adapters.files.recent import RecentRecords
from exchange.ports.world import LogError, LogRecord
from exchange.process.loop.deadlines import WaitTimer

__all__ = ["FileProbe", "FileReader", "ReadableLog"]


class ReadableLog(Protocol):
    """What readers need of the log that they read."""

    # Offset behind the newest durable record.
    end: int
    recent: RecentRecords

    def file_of(self, offset: int) -> LogFile:
        """The file that has the record, or will have it. Raises LogError when it was removed."""
        ...

    async def wait_for(self, offset: int, timeout_s: float, timer: WaitTimer) -> bool:
        """Wait until the record `offset`, the next one, is durable; False after the timeout."""
        ...


class FileReader:
    """See `LogReader`. `file` and `position`: where to find `offset`, if that is known already.

    One that gathers, and has read to the end, looks again when its time is over.
    """

    def __init__(self, log: ReadableLog, offset: int, file: LogFile, position: int, gather_ms: int) -> None:
        self._log = log
        self._offset = offset
        self._file: LogFile | None = file
        self._position = position
        self._gather_s = gather_ms / 1000
        self._next_look_s = 0.0
        self._timer = WaitTimer()

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        log, timeout_s = self._log, timeout_ms / 1000
        if self._gather_s:
            loop = asyncio.get_running_loop()
            pause_s = self._next_look_s - loop.time()
            if pause_s > 0:
                await asyncio.sleep(min(pause_s, timeout_s))
                timeout_s -= pause_s
                if timeout_s < 0:
                    return []
        if self._offset >= log.end and not await log.wait_for(self._offset, timeout_s, self._timer):
            return []
        records = log.recent.since(self._offset) or await self._from_file()
        self._offset += len(records)
        if self._gather_s and self._offset >= log.end:
            self._next_look_s = asyncio.get_running_loop().time() + self._gather_s
        return records

    async def close(self) -> None:
        self._timer.close()

    async def _from_file(self) -> list[LogRecord]:
        file = self._log.file_of(self._offset)
        if file is not self._file:
            begins = self._file is not None and file.first_offset == self._offset
            self._position = (
                file.start_position if begins else await asyncio.to_thread(file.start_of, self._offset)
            )
            self._file = file
        records, self._position = file.read_from(self._position, self._offset)
        return records


class FileProbe:
    """See `LogProbe`."""

    def __init__(self, log: ReadableLog) -> None:
        self._log = log

    async def end_offset(self) -> int:
        return self._log.end

    async def record(self, offset: int) -> LogRecord:
        if offset >= self._log.end:
            raise LogError(f"record {offset} is not there")
        if recent := self._log.recent.since(offset):
            return recent[0]
        file = self._log.file_of(offset)
        records, _ = file.read_from(file.start_of(offset), offset)
        return records[0]

    async def close(self) -> None:
        return None
