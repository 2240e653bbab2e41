"""Takes away what logs need not keep: records that are old, proven to be archived, and behind every snapshot.

The proof is made at the moment of removal: each segment is read back from the store, its hash checked, and
its records compared with the log's own. What cannot be proven stays, and so does all behind it (ADR 0020).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from prometheus_client import Counter, Gauge

from exchange.log.records import records_between
from exchange.log.segments import ArchiveError, Segment
from exchange.log.shelf import Shelf
from exchange.ports.object_keys import snapshot_place, snapshots_prefix
from exchange.ports.world import LogError, ObjectStore, ObjectStoreError, TrimmedLog
from exchange.process.config import Settings

__all__ = ["Retention", "retentions"]

logger = logging.getLogger(__name__)

# Asks a reader of the log for the next offset that it will read. Raises one of the errors of `round`.
NeededFrom: TypeAlias = Callable[[], Awaitable[int]]

INTERVAL_S: Final = 600.0
# Segments that one round looks at: a log of years is shortened over many rounds, beside everything else.
SEGMENTS_PER_ROUND_MAX: Final = 64
_MS_PER_DAY: Final = 86_400_000
# More than `exchange.log.event_tail` looks back for the newest event.
_EVENT_RECORDS_KEPT: Final = 10_000

_first_offset = Gauge("exchange_log_first_offset", "Oldest record that the log still holds.", ["log"])
_refusals_total = Counter(
    "exchange_log_retention_refusals_total", "Rounds that could not prove or remove something.", ["log"]
)


class Retention:
    """Component that shortens one log. It never ends by itself: a log that grows is better than none."""

    def __init__(
        self,
        name: str,
        log: TrimmedLog,
        store: ObjectStore,
        *,
        shard: int,
        kept_ms: int,
        clock_ms: Callable[[], int],
        needed_from: Sequence[NeededFrom] = (),
    ) -> None:
        """`name`: "commands" or "events". Records younger than `kept_ms` by `clock_ms` stay.

        `needed_from`: readers whose durable place is known here, as the next offset that each will read.
        """
        self.name = f"retention-{name}"
        self._log_name = name
        self._log = log
        self._store = store
        self._shard = shard
        self._shelf = Shelf(store, shard, name)
        self._kept_ms = kept_ms
        self._clock_ms = clock_ms
        self._needed_by_readers = needed_from

    async def start(self) -> None:
        """Nothing: what is old can wait."""

    async def run(self) -> None:
        """A round now and then until cancelled."""
        while True:
            try:
                await self.round()
            except (ArchiveError, LogError, ObjectStoreError, OSError, TimeoutError) as error:
                _refusals_total.labels(self._log_name).inc()
                logger.warning("%s: nothing was removed: %s", self.name, error)
            await asyncio.sleep(INTERVAL_S)

    async def stop(self) -> None:
        """Nothing is kept open."""

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way: see the metrics and the log."""
        return {self.name: None}

    async def round(self) -> int:
        """Remove what can go; returns the log's first offset. Raises
        ArchiveError, LogError, ObjectStoreError.
        """
        first = await self._log.first_offset()
        limit = min([await self._needed_by_engine(), *[await needed() for needed in self._needed_by_readers]])
        target = first
        for _ in range(SEGMENTS_PER_ROUND_MAX):
            segment = await self._shelf.holding(target)
            if segment is None or segment.next_offset > limit or not self._is_old(segment):
                break
            await self._prove(segment, target)
            target = segment.next_offset
        if target > first:
            await self._log.remove_before(target)
            logger.info("%s: archived records before %d were removed", self.name, target)
            first = await self._log.first_offset()
        _first_offset.labels(self._log_name).set(first)
        return first

    async def _needed_by_engine(self) -> int:
        """The first command that an engine needs which starts from the oldest kept snapshot.

        Events are made anew from the commands, so only their newest ones are needed by an engine; where the
        oldest snapshot is not known, neither log loses anything.
        """
        keys = await self._store.keys(snapshots_prefix(self._shard))
        places = [place for key in keys if (place := snapshot_place(key)) is not None]
        if not places:
            return 0
        if self._log_name == "commands":
            return min(place.command_offset for place in places)
        # Its last record too is looked for, and a former leader's may come again behind it.
        return max(0, await self._log.end_offset() - _EVENT_RECORDS_KEPT)

    def _is_old(self, segment: Segment) -> bool:
        return segment.records[-1].timestamp_ms < self._clock_ms() - self._kept_ms

    async def _prove(self, segment: Segment, first: int) -> None:
        """Raise ArchiveError unless the log holds from `first` on what the segment holds."""
        archived = segment.records[first - segment.records[0].offset :]
        kept = [record async for record in records_between(self._log, first, segment.next_offset)]
        if list(archived) != kept:
            raise ArchiveError(
                f"{self._log_name}: the records from {first} to {segment.next_offset} are not as archived"
            )


def retentions(
    settings: Settings,
    command_log: TrimmedLog,
    event_log: TrimmedLog,
    store: ObjectStore,
    clock_ms: Callable[[], int],
    events_needed_from: Sequence[NeededFrom] = (),
) -> Sequence[Retention]:
    """What shortens both logs; nothing unless the settings ask for it."""
    if not settings.log_kept_days:
        return ()
    return [
        Retention(
            name,
            log,
            store,
            shard=settings.shard,
            kept_ms=settings.log_kept_days * _MS_PER_DAY,
            clock_ms=clock_ms,
            needed_from=needed_from,
        )
        for name, log, needed_from in (
            ("commands", command_log, ()),
            ("events", event_log, events_needed_from),
        )
    ]
