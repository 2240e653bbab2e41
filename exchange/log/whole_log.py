"""A log whose older part is only in the archive, read as if it were still there."""

from typing import Final

from exchange.log.segments import ArchiveError
from exchange.log.shelf import Shelf
from exchange.ports.world import (
    Log,
    LogError,
    LogProbe,
    LogReader,
    LogRecord,
    LogWriter,
    ObjectStore,
    ObjectStoreError,
)

__all__ = ["WholeLog"]

_READ_SIZE_BYTES: Final = 1_048_576


class WholeLog:
    """A `Log`: the records of `log`, and before them what the archive of it holds.

    The archive is not touched by whoever reads what the log itself has.
    """

    def __init__(self, log: Log, store: ObjectStore, shard: int, name: str) -> None:
        """`name`: "commands" or "events"."""
        self._log = log
        self._store = store
        self._shard = shard
        self._name = name

    async def writer(self) -> LogWriter:
        """A writer of the log."""
        return await self._log.writer()

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        """Open a reader at `offset`. Raises LogError."""
        if offset >= await self._log.first_offset():
            return await self._log.reader(offset, gather_ms)
        return _WholeReader(self._log, Shelf(self._store, self._shard, self._name), offset, gather_ms)

    async def first_offset(self) -> int:
        """Offset of the oldest record, archived or not. Raises LogError."""
        first = await self._log.first_offset()
        if not first:
            return first
        try:
            archived = await Shelf(self._store, self._shard, self._name).first_offset()
        except (ArchiveError, ObjectStoreError) as error:
            raise LogError(f"the archive of {self._name}: {error}") from error
        return first if archived is None else min(first, archived)

    async def probe(self) -> LogProbe:
        """As the log's."""
        return await self._log.probe()

    async def end_offset(self) -> int:
        """As the log's."""
        return await self._log.end_offset()

    async def last(self) -> LogRecord | None:
        """As the log's."""
        return await self._log.last()


class _WholeReader:
    def __init__(self, log: Log, shelf: Shelf, offset: int, gather_ms: int) -> None:
        self._gather_ms = gather_ms
        self._log = log
        self._shelf = shelf
        self._offset = offset
        self._live: LogReader | None = None
        # What was read of the archive and not given out yet.
        self._archived: list[LogRecord] = []

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        """As LogReader.read; from the archive about a mebibyte at a time."""
        if self._live is None:
            if not self._archived and self._offset < await self._log.first_offset():
                self._archived = await self._segment()
            if self._archived:
                return self._next_archived()
            self._live = await self._log.reader(self._offset, self._gather_ms)
        return await self._live.read(timeout_ms)

    async def close(self) -> None:
        if self._live is not None:
            await self._live.close()

    def _next_archived(self) -> list[LogRecord]:
        size_bytes, count = 0, 0
        for record in self._archived:
            size_bytes += len(record.value)
            count += 1
            if size_bytes >= _READ_SIZE_BYTES:
                break
        taken, self._archived = self._archived[:count], self._archived[count:]
        self._offset = taken[-1].offset + 1
        return taken

    async def _segment(self) -> list[LogRecord]:
        try:
            segment = await self._shelf.holding(self._offset)
        except (ArchiveError, ObjectStoreError) as error:
            raise LogError(f"the archive: {error}") from error
        if segment is None:
            raise LogError(f"record {self._offset} is gone from the log, and the archive does not hold it")
        return list(segment.records[self._offset - segment.records[0].offset :])
