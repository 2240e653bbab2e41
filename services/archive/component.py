"""The archiver: follows both logs and keeps them as write-once segments (ADR 0010).

It has no state but the archive: where to go on follows from the newest segment. A segment's key is its
first offset, so a second archiver loses the race for a key, looks again, and goes on behind it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter, Gauge

from exchange.log import gathering
from exchange.log.held_reader import HeldReader
from exchange.log.segments import ArchiveError, Segment
from exchange.log.shelf import LOGS, Shelf
from exchange.ports.world import Log, LogError, LogRecord, ObjectStore, ObjectStoreError
from exchange.process.config import Settings
from exchange.process.patience import Patience

__all__ = ["Archiver", "archivers"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 500
LAG_INTERVAL_S: Final = 10.0
_STOP_DEADLINE_S: Final = 5.0
# What a record costs in a segment beside its value.
_RECORD_OVERHEAD_BYTES: Final = 16
_LOG_ERRORS: Final = (LogError, OSError, TimeoutError)

_next_offset = Gauge("exchange_archive_next_offset", "First offset that is not archived.", ["log"])
_lag_records = Gauge("exchange_archive_lag_records", "Records on the log that are not archived.", ["log"])
_segments_total = Counter("exchange_archive_segments_total", "Segments written.", ["log"])
_failures_total = Counter("exchange_archive_failures_total", "Failures after which it tries again.", ["log"])


class Archiver:
    """Component that archives one log.

    Tries for ever while the log or the store is away, and says so in `readiness`: nothing is lost meanwhile,
    as the log keeps its records. Ends with ArchiveError when archive and log are of different histories.
    """

    def __init__(
        self,
        name: str,
        log: Log,
        store: ObjectStore,
        *,
        shard: int,
        segment_size_bytes: int,
        segment_age_ms: int,
        log_deadline_ms: int,
    ) -> None:
        """`name`: "commands" or "events"."""
        self.name = f"archive-{name}"
        self._log_name = name
        self._log = log
        self._shelf = Shelf(store, shard, name)
        self._size_bytes_max = segment_size_bytes
        self._age_s_max = segment_age_ms / 1000
        self._log_deadline_s = log_deadline_ms / 1000
        self._reader = HeldReader(self.name, log, log_deadline_ms, gathering.ARCHIVE_MS)
        self._records: list[LogRecord] = []
        self._size_bytes = 0
        self._opened_s = 0.0
        # First offset that is not archived, as far as this archiver knows.
        self.next_offset = 0
        self._patience = Patience(self.name, (*_LOG_ERRORS, ObjectStoreError), _failures_total.labels(name))
        self._log_problem: str | None = None

    async def start(self) -> None:
        """Nothing: `run` finds its place, as often as it takes, so that a store that is away stops nobody."""

    async def run(self) -> None:
        """Archive until cancelled. Raises ArchiveError."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name=f"{self.name}-follow")
            group.create_task(self._watch_lag(), name=f"{self.name}-lag")

    async def stop(self) -> None:
        """Archive what has been read, if that can be done soon, and close the reader."""
        self._patience.problem = "stopped"
        with contextlib.suppress(ObjectStoreError, TimeoutError):
            async with asyncio.timeout(_STOP_DEADLINE_S):
                if self._records:
                    await self._shelf.add(Segment(self._log_name, self._records))
        self._records = []
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last try to follow the log and to write the archive worked."""
        return {self.name: self._patience.problem or self._log_problem}

    async def _follow(self) -> None:
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        if not self._reader.is_open:
                            await self._find_place()
                        await self._read()
                    except _LOG_ERRORS:
                        # A reader that failed is not to be trusted with what comes next.
                        await self._reader.close()
                        raise
                    if self._is_due():
                        await self._close_segment()
                    self._patience.worked()

    async def _find_place(self) -> None:
        """Go on behind the newest segment; its last record must be the log's."""
        self._forget()
        newest = await self._shelf.newest()
        archived_to = 0 if newest is None else newest.next_offset
        async with asyncio.timeout(self._log_deadline_s):
            end = await self._log.end_offset()
        if archived_to > end:
            raise ArchiveError(
                f"{self._log_name}: archived up to offset {archived_to}, but the log ends at {end}: "
                "restore the log from the archive, or keep the archive of another history elsewhere"
            )
        await self._reader.open(max(0, archived_to - 1))
        if newest is not None:
            async with asyncio.timeout(self._log_deadline_s):
                await self._check_history(newest.records[-1])
        self._advance(archived_to)
        logger.info("%s: goes on at offset %d of %d", self.name, archived_to, end)

    async def _check_history(self, archived: LogRecord) -> None:
        records: list[LogRecord] = []
        while not records:
            records = await self._reader.read(READ_TIMEOUT_MS)
        if records[0] != archived:
            raise ArchiveError(f"{self._log_name}: record {archived.offset} differs from the archived one")
        self._take(records[1:])

    async def _read(self) -> None:
        """Take what has come, waiting no longer than the open segment may."""
        timeout_ms = READ_TIMEOUT_MS
        if self._records:
            left_s = self._opened_s + self._age_s_max - time.monotonic()
            timeout_ms = min(READ_TIMEOUT_MS, max(1, int(left_s * 1000)))
        if self._size_bytes < self._size_bytes_max:
            self._take(await self._reader.read(timeout_ms))

    def _take(self, records: list[LogRecord]) -> None:
        if records and not self._records:
            self._opened_s = time.monotonic()
        self._records += records
        self._size_bytes += sum(map(_size_bytes, records))

    def _is_due(self) -> bool:
        if not self._records:
            return False
        is_old = time.monotonic() - self._opened_s >= self._age_s_max
        return is_old or self._size_bytes >= self._size_bytes_max

    async def _close_segment(self) -> None:
        segment = Segment(self._log_name, self._first_records())
        if await self._shelf.add(segment):
            _segments_total.labels(self._log_name).inc()
            rest = self._records[len(segment.records) :]
            self._forget()
            self._take(rest)
            self._advance(segment.next_offset)
        else:
            # Another archiver was quicker, or an own try had arrived whose answer was lost.
            logger.info("%s: offset %d is archived already", self.name, segment.records[0].offset)
            await self._reader.close()

    def _first_records(self) -> list[LogRecord]:
        """As many as make one segment: a read may have brought more."""
        size_bytes = 0
        for count, record in enumerate(self._records, start=1):
            size_bytes += _size_bytes(record)
            if size_bytes >= self._size_bytes_max:
                return self._records[:count]
        return self._records

    def _forget(self) -> None:
        self._records = []
        self._size_bytes = 0

    def _advance(self, next_offset: int) -> None:
        self.next_offset = next_offset
        _next_offset.labels(self._log_name).set(next_offset)

    async def _watch_lag(self) -> None:
        while True:
            await asyncio.sleep(LAG_INTERVAL_S)
            try:
                async with asyncio.timeout(self._log_deadline_s):
                    end = await self._log.end_offset()
            except _LOG_ERRORS as error:
                self._log_problem = f"{type(error).__name__}: {error}"
                continue
            self._log_problem = None
            _lag_records.labels(self._log_name).set(max(0, end - self.next_offset))


def _size_bytes(record: LogRecord) -> int:
    return len(record.value) + _RECORD_OVERHEAD_BYTES


def archivers(settings: Settings, command_log: Log, event_log: Log, store: ObjectStore) -> list[Archiver]:
    """The archivers of both logs."""
    return [
        Archiver(
            name,
            log,
            store,
            shard=settings.shard,
            segment_size_bytes=settings.archive_segment_size_bytes,
            segment_age_ms=settings.archive_segment_age_ms,
            log_deadline_ms=settings.log_deadline_ms,
        )
        for name, log in zip(LOGS, (command_log, event_log), strict=True)
    ]
