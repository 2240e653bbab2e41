"""An embedded log as another process of the same machine reads it, while its owner writes: a `Log` to read.

The owner tells how far it is durable (`told`), for what stands in a file need not be: who wrote money into a
table that the log loses with the power would have invented it. Nothing is locked, and nothing changed.
"""

import asyncio
from pathlib import Path

from exchange.adapters.files.log_files import BatchFile
from exchange.adapters.files.readable import ReadableFiles, files_in, last_of
from exchange.adapters.files.recent import RecentRecords
from exchange.ports.world import LogError, LogWriter

__all__ = ["FollowedLog"]


class FollowedLog(ReadableFiles):
    """Open it with `FollowedLog.open`. What its owner removes is gone for whoever had not read it."""

    @classmethod
    async def open(cls, path: Path, end: int) -> "FollowedLog":
        """`end`: offset behind the newest durable record, as its owner says. Raises LogError, OSError."""
        log = cls(path)
        await asyncio.to_thread(log._load, end)
        return log

    async def first_offset(self) -> int:
        """Offset of the oldest record that is kept: the owner removes whole files, and tells nobody."""
        while len(self._files) > 1 and not self._files[0].path.exists():
            self.recent.forget_before(self._files.pop(0).end_offset)
        return self._files[0].first_offset

    async def writer(self) -> LogWriter:
        """There is none. Raises LogError."""
        raise LogError(f"{self._path.name} is written by another process")

    def told(self, end: int) -> None:
        """The owner has made records durable: `end` is the offset behind them. Raises LogError, OSError."""
        if end > self.end:
            self._take(end)
            self.end = end
            self._wake_readers()

    def _load(self, end: int) -> None:
        # A file that the owner begins just now is left out: its first records come with the next word.
        self._files = [file for file in files_in(self._path) if file.first_offset <= end]
        if not self._files:
            raise LogError(f"{self._path.name} has no files")
        self._files[-1].begin()
        self.recent = RecentRecords(self._files[-1].first_offset)
        self._take(end)
        self.end = end
        self._last = last_of(self._files)

    def _take(self, end: int) -> None:
        """Learn of the records up to `end` in the newest file and those behind it. Raises LogError, OSError.

        However many they are, as many stay in memory as their owner keeps there.
        """
        while True:
            newest = self._files[-1]
            for position, records in newest.walk(newest.end_position, newest.path.stat().st_size):
                # A batch of none is what an owner leaves when it ends.
                if records and records[0].offset >= end:
                    break
                newest.remember(records, position - newest.end_position)
                self.recent.add(records)
                self._last = records[-1] if records else self._last
            if newest.end_offset >= end:
                return
            following = self._path / f"{newest.end_offset:020d}.log"
            if following == newest.path or not following.exists():
                raise LogError(f"{self._path.name}: record {newest.end_offset} of {end} is not there")
            self._files.append(BatchFile.open(following))
            self._files[-1].begin()
