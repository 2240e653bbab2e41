"""The service as a component: recover from PostgreSQL, follow the event log, keep the timers."""

import asyncio
import logging
import time
from collections.abc import Mapping
from itertools import chain
from typing import Final

import asyncpg
import orjson

from exchange.contracts.errors import unavailable
from exchange.http.request_limits import RequestLimits
from exchange.http.usage_sharing import UsageSharing
from exchange.log.event_tail import EventTail
from exchange.ports.world import LogReader
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.readers import Readers
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.history import History
from services.market_data.markets.state import MarketState
from services.market_data.metrics import APPLIED_SEQ
from services.market_data.rest.app import RestApi
from services.market_data.rest.general import GeneralEndpoints
from services.market_data.rest.tickers import TickerEndpoints
from services.market_data.rest.trading import TradingEndpoints
from services.market_data.streams.hub import Hub
from services.market_data.streams.publisher import TICK_MS, StreamPublisher
from services.market_data.streams.sockets import StreamSockets
from services.market_data.streams.user_feed import UserFeed

__all__ = ["MarketDataService"]

logger = logging.getLogger(__name__)
_READ_TIMEOUT_MS: Final = 500
# Sockets get a turn after so many outcomes, so that catching up does not fill their queues.
_OUTCOMES_PER_TURN: Final = 100
_START_TRIES: Final = 20
_START_RETRY_S: Final = 1.0
_CLOSE_DEADLINE_S: Final = 5.0
_STOPPED_LATE_TICKS: Final = 50
# A table may be missing while the migrations still run.
_START_ERRORS: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class MarketDataService:
    """Owns the state in memory; REST and the sockets read it between the steps of this component."""

    name = "market-data"

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        settings = resources.settings
        self.settings = settings
        self.state = MarketState()
        self.hub = Hub()
        self._readers = Readers.from_resources(resources)
        self.history = History(self._readers, settings.database_deadline_ms)
        self.user_feed = UserFeed(resources.cache, self.hub, settings.cache_deadline_ms)
        self.endpoint_groups = (
            GeneralEndpoints(self.current_state, clock_us),
            TradingEndpoints(self.current_state, self.history, clock_us),
            TickerEndpoints(self.current_state, clock_us),
        )
        limits = RequestLimits(
            lambda: clock_us() // 1000,
            is_enforced=settings.request_limits,
            exempt=settings.request_limits_exempt,
        )
        self._sharing = UsageSharing(limits.windows, resources.cache, settings.cache_deadline_ms)
        self.rest = RestApi(chain(*(group.endpoints() for group in self.endpoint_groups)), limits)
        self.sockets = StreamSockets(self.hub, self.user_feed, rate_limits=settings.rate_limits)
        self._publisher = StreamPublisher(self.state, self.hub, clock_us)
        self._reader: LogReader | None = None
        self._tail: EventTail | None = None
        self._end_offset_at_start = 0
        self._last_tick_ms = 0

    def current_state(self) -> MarketState:
        """The state of the moment. Raises ApiError -1001 until it has caught up with the log.

        Before that, what is not loaded yet would be taken for missing: no markets, an old book.
        """
        if self._missing_records() != 0:
            raise unavailable()
        return self.state

    def _missing_records(self) -> int | None:
        """How many of the records that the log had at our start are still to be read; None before it."""
        if self._tail is None:
            return None
        return max(0, self._end_offset_at_start - self._tail.position.next_offset)

    async def start(self) -> None:
        """Load the state and open the log. Raises after _START_TRIES refusals of the database."""
        for attempt in range(1, _START_TRIES + 1):
            try:
                self.state, position = await load_state(
                    self._readers, self.settings.shard, clock_us() // 1000
                )
                break
            except _START_ERRORS as error:
                if attempt == _START_TRIES:
                    raise
                logger.warning("the state cannot be loaded (%r), try %d", error, attempt)
                # A reader breaks off what takes it too long; the next try is the writer's.
                self._readers.distrust()
                await asyncio.sleep(_START_RETRY_S)
        self._publisher = StreamPublisher(self.state, self.hub, clock_us)
        self._end_offset_at_start = await self._resources.event_log.end_offset()
        self._reader = await self._resources.event_log.reader(position.next_offset)
        self._tail = EventTail(self._reader, position)
        logger.info("market data stand at seq %d, %d markets", self.state.seq, len(self.state.views))

    async def run(self) -> None:
        """Work until cancelled. Raises ChainError, CodecError, LogError or BookError."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="market-data-tail")
                group.create_task(self._keep_time(), name="market-data-timers")
                group.create_task(self.user_feed.run(), name="market-data-user-feed")
                group.create_task(self._sharing.run(), name="market-data-usage")
        finally:
            # The server closes the sockets soon after this; the message goes out before.
            farewell = {"e": "serverShutdown", "E": clock_us() // 1000}
            self.hub.send_to_all(orjson.dumps(farewell), "!serverShutdown")

    async def stop(self) -> None:
        """Close what connections are left and let the log go."""
        for client in list(self.hub.clients):
            client.end()
        if self._reader is not None:
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """The books follow the log, the timers run.

        The cache is not asked: without it only the legacy listen keys are missing.
        """
        missing = self._missing_records()
        books = f"{missing} records of the event log are still to be read" if missing else None
        if missing is None:
            books = "not started"
        late_ms = clock_us() // 1000 - self._last_tick_ms
        timers = None if late_ms < _STOPPED_LATE_TICKS * TICK_MS else "the timers stand still"
        return {"books": books, "timers": timers}

    async def _follow(self) -> None:
        tail = self._tail
        assert tail is not None, "start() was not called"
        while True:
            outcomes = await tail.read(_READ_TIMEOUT_MS)
            for first in range(0, len(outcomes), _OUTCOMES_PER_TURN):
                turn = outcomes[first : first + _OUTCOMES_PER_TURN]
                self._publisher.live([self.state.apply(outcome) for outcome in turn])
                APPLIED_SEQ.set(self.state.seq)
                await asyncio.sleep(0)

    async def _keep_time(self) -> None:
        while True:
            now_ms = clock_us() // 1000
            await asyncio.sleep((TICK_MS - now_ms % TICK_MS) / 1000)
            now_ms = clock_us() // 1000
            self._publisher.tick(now_ms)
            self._last_tick_ms = now_ms
