"""Follows the event log and puts a notice on the queue for each thing that people are told of.

First the queue, then the position: after a crash between the two the same notices are put again, with the
same ids. Where there is no position yet it begins at the log's end, because nobody wants mail about last
year; whoever wants to go back writes a row into `notice_positions`.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import Gauge

from exchange.log import gathering
from exchange.log.event_tail import EventTail, TailPosition, newest_event
from exchange.log.held_reader import HeldReader
from exchange.log.portions import portions
from exchange.process.components import Resources
from services.notifier.freeze_links import FreezeLinks
from services.notifier.notices import NoticeMaker
from services.notifier.outlet import Outlet
from services.notifier.positions import NotifierStore
from services.notifier.retries import patience

__all__ = ["EventFollower"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 500
# What comes meanwhile travels together.

_last_seq = Gauge("exchange_notifier_last_seq", "Seq of the last event whose notices are on the queue.")
_delay_s = Gauge("exchange_notifier_delay_seconds", "Age of the newest event when its notices were queued.")


class EventFollower:
    """Component from the event log to the queue.

    Waits for ever for the log, the database and the queue, and says so in `readiness`. Ends with
    FencedError when another notifier moves the position, with ChainError or CodecError when the log is not
    what the engine writes.
    """

    name = "notices-events"

    def __init__(self, resources: Resources, outlet: Outlet) -> None:
        settings = resources.settings
        self._shard = settings.shard
        self._log = resources.event_log
        self._log_deadline_s = settings.log_deadline_ms / 1000
        self._store = NotifierStore(resources.database, settings.shard, settings.database_deadline_ms)
        self._links = FreezeLinks(resources.database, settings.database_deadline_ms, settings.public_url)
        self._outlet = outlet
        self._patience = patience(self.name)
        self._reader = HeldReader(self.name, self._log, settings.log_deadline_ms, gathering.NOTIFIER_MS)
        self._tail: EventTail | None = None
        self._maker = NoticeMaker(settings.shard)
        self.last_seq = 0

    async def start(self) -> None:
        """Nothing: `run` finds its place, as often as it takes."""

    async def run(self) -> None:
        """Follow until cancelled. Raises as the class says."""
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        if self._tail is None:
                            await self._resume()
                        await self._forward()
                    except BaseException:
                        # What was read and not put has to be read again.
                        self._tail = None
                        raise
                    self._patience.worked()

    async def stop(self) -> None:
        """Close the reader."""
        self._patience.problem = "stopped"
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last try worked."""
        return {self.name: self._patience.problem}

    async def _resume(self) -> None:
        """Take the database's word for where we stand, and read the log from there."""
        async with asyncio.timeout(self._log_deadline_s):
            position = await self._store.position() or await self._begin_at_end()
        maker = NoticeMaker(self._shard)
        await self._store.teach(maker)
        await self._reader.open(position.next_offset)
        self._maker, self.last_seq = maker, position.seq
        self._tail = EventTail(self._reader, position)
        logger.info("%s: goes on behind seq %d at offset %d", self.name, position.seq, position.next_offset)

    async def _begin_at_end(self) -> TailPosition:
        position = await newest_event(self._log)
        await self._store.begin(position)
        return await self._store.position() or position

    async def _forward(self) -> None:
        """Read what has come, put its notices, keep the position after each portion."""
        tail = self._tail
        assert tail is not None
        start_offset = tail.position.next_offset
        outcomes = await tail.read(READ_TIMEOUT_MS)
        if not outcomes:
            return
        for portion in portions(outcomes):
            notices = [notice for outcome in portion for notice in self._maker.notices_of(outcome)]
            await self._outlet.send(await self._links.add(notices))
            last = portion[-1].events[-1]
            # Inside a gulp the log is to be read again from its start: the tail drops what is known.
            offset = tail.position.next_offset if portion[-1] is outcomes[-1] else start_offset
            await self._store.move(self.last_seq, TailPosition(last.seq, last.hash, offset))
            self.last_seq = last.seq
        _last_seq.set(self.last_seq)
        _delay_s.set(time.time() - outcomes[-1].time_ms / 1000)
