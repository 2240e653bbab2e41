"""When the engine's state is kept: copied between two records, and stored beside the work."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

from matching_engine.core.shard import Shard
from matching_engine.snapshots import Snapshot, SnapshotError, Snapshots, capture

__all__ = ["SnapshotTaker"]

logger = logging.getLogger(__name__)
_PUBLISHED_POLL_S: Final = 0.2

_snapshot_time = Gauge("exchange_engine_snapshot_timestamp_seconds", "When the last snapshot was taken")
_snapshot_failures = Counter("exchange_engine_snapshot_failures_total", "Snapshots that were not stored")


class SnapshotTaker:
    """Takes one snapshot at a time, after so many commands. `published_seq`: what the event log holds."""

    def __init__(self, snapshots: Snapshots, published_seq: Callable[[], int]) -> None:
        self._snapshots = snapshots
        self._published_seq = published_seq
        self._commands = 0
        self._storing: asyncio.Task[None] | None = None

    def decided(self, commands: int) -> None:
        """So many commands more have changed the state."""
        self._commands += commands

    def when_due(self, shard: Shard, every_commands: int) -> None:
        """Copy the state if enough has happened, and store it beside the work. Raises what storing did."""
        if self._storing is not None:
            if not self._storing.done():
                return
            self._storing.result()
            self._storing = None
        if self._commands >= every_commands:
            self._commands = 0
            self._storing = asyncio.create_task(self._store(capture(shard)), name="engine: snapshot")

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.wait([self._storing])

    async def _store(self, snapshot: Snapshot) -> None:
        # A state that is ahead of the event log must not become a starting point: what is pending in
        # memory would be missing from the log for ever.
        while self._published_seq() < snapshot.seq:  # noqa: ASYNC110  the outbox is pure
            await asyncio.sleep(_PUBLISHED_POLL_S)
        try:
            await self._snapshots.store(snapshot)
        except SnapshotError as error:
            _snapshot_failures.inc()
            logger.error("the snapshot at seq %d was not stored: %s", snapshot.seq, error)
            return
        _snapshot_time.set_to_current_time()
        logger.info("wrote the snapshot at seq %d", snapshot.seq)
