"""The markets as they follow the event log: who holds this object finds the state of the moment in it."""

import asyncio
from collections.abc import Iterable
from typing import Final

from prometheus_client import Gauge

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.errors import unavailable
from exchange.log.event_tail import EventTail, TailPosition
from exchange.ports.world import Log, LogReader
from services.market_data.markets.state import Changes, MarketState

__all__ = ["MarketFollower"]

_READ_TIMEOUT_MS: Final = 500
_CLOSE_DEADLINE_S: Final = 5.0

_applied_seq: Final = Gauge("exchange_market_data_applied_seq", "Last event applied to the books in memory")


class MarketFollower:
    """Moves `state` along the log, and gives it to requests once it has caught up.

    `state` is another one after `begin`: keep the follower, not what it holds.
    """

    def __init__(self, event_log: Log) -> None:
        self.state = MarketState()
        self._log = event_log
        self._reader: LogReader | None = None
        self._tail: EventTail | None = None
        self._end_offset_at_start = 0

    async def begin(self, state: MarketState, position: TailPosition) -> None:
        """Go on with `state`, which stands at `position` of the log. Raises LogError."""
        self.state = state
        self._end_offset_at_start = await self._log.end_offset()
        self._reader = await self._log.reader(position.next_offset)
        self._tail = EventTail(self._reader, position)

    def missing_records(self) -> int | None:
        """How many of the records that the log had at our start are still to be read; None before it."""
        if self._tail is None:
            return None
        return max(0, self._end_offset_at_start - self._tail.position.next_offset)

    def current(self) -> MarketState:
        """The state of the moment. Raises ApiError -1001 until it has caught up with the log.

        Before that, what is not loaded yet would be taken for missing: no markets, an old book.
        """
        if self.missing_records() != 0:
            raise unavailable()
        return self.state

    async def read(self) -> list[CommandOutcome]:
        """The next outcomes, not applied yet. Raises ChainError, CodecError or LogError."""
        assert self._tail is not None, "begin comes before read"
        return await self._tail.read(_READ_TIMEOUT_MS)

    def apply(self, outcomes: Iterable[CommandOutcome]) -> list[Changes]:
        """Move the state by these outcomes, and say what each changed. Raises BookError."""
        changes = [self.state.apply(outcome) for outcome in outcomes]
        _applied_seq.set(self.state.seq)
        return changes

    async def close(self) -> None:
        """Let the log go."""
        if self._reader is not None:
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await self._reader.close()
