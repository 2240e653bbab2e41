"""What can be read of a log in files, by the process that writes it and by one that follows it."""

import asyncio
import itertools
from bisect import bisect_right
from pathlib import Path
from typing import Final

from exchange.adapters.files.log_files import BatchFile, LogFile, OldFile
from exchange.adapters.files.log_reader import FileProbe, FileReader
from exchange.adapters.files.recent import RecentRecords
from exchange.ports.world import LogError, LogProbe, LogReader, LogRecord
from exchange.process.loop.deadlines import WaitTimer

__all__ = ["OLD_NAME", "ReadableFiles", "files_in", "last_of"]

# Of a file of format 1, the log's first.
OLD_NAME: Final = f"{0:020d}.log1"


class ReadableFiles:
    """Files of a folder up to `end`, and the newest records in memory. Who makes it says how far it goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[LogFile] = []
        # Offset behind the newest durable record.
        self.end = 0
        self.recent = RecentRecords(0)
        self._last: LogRecord | None = None
        # Readers at the end; all wake when it moves.
        self._waiting: list[asyncio.Future[bool]] = []

    def _wake_readers(self) -> None:
        waiting, self._waiting = self._waiting, []
        for grown in waiting:
            if not grown.done():
                grown.set_result(True)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        """Open a reader at `offset`."""
        if offset > self.end:
            raise LogError(f"offset {offset} is beyond the log's end {self.end}")
        file = self.file_of(offset)
        position = await asyncio.to_thread(file.start_of, offset)
        return FileReader(self, offset, file, position, gather_ms)

    async def first_offset(self) -> int:
        """Offset of the oldest record that is kept, or of the next one."""
        return self._files[0].first_offset

    async def probe(self) -> LogProbe:
        """Open a probe."""
        return FileProbe(self)

    async def end_offset(self) -> int:
        """Offset behind the newest durable record."""
        return self.end

    async def last(self) -> LogRecord | None:
        """The newest durable record."""
        return self._last

    async def wait_for(self, offset: int, timeout_s: float, timer: WaitTimer) -> bool:
        """Wait until the record `offset`, the next one, is durable; False after the timeout."""
        if offset < self.end:
            return True
        grown: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(grown)
        timer.begin(grown, timeout_s)
        try:
            return await grown
        finally:
            timer.end()
            if grown in self._waiting:
                self._waiting.remove(grown)

    def file_of(self, offset: int) -> LogFile:
        """The file that has the record, or will have it. Raises LogError when it was removed."""
        slot = bisect_right([file.first_offset for file in self._files], offset) - 1
        if slot < 0:
            first = self._files[0].first_offset
            raise LogError(f"{self._path.name}: offset {offset} is gone, the log starts at {first}")
        return self._files[slot]


def files_in(path: Path) -> list[LogFile]:
    """The files of a folder, in order; where the newest ends is for the caller to find. Raises LogError."""
    files: list[LogFile] = [OldFile(old) for old in path.glob(OLD_NAME)]
    files += [BatchFile.open(file) for file in sorted(path.glob("*.log"))]
    for file, following in itertools.pairwise(files):
        file.close_at(following.first_offset)
    return files


def last_of(files: list[LogFile]) -> LogRecord | None:
    """The newest record; a file that was begun and not written to has none."""
    for file in reversed(files):
        if file.last is None and file.end_offset > file.first_offset:
            file.start_of(file.first_offset)
        if file.last is not None:
            return file.last
    return None
