"""The service as a component: recover from PostgreSQL, follow the event log, keep the timers."""

import asyncio
import logging
from collections.abc import Mapping
from itertools import chain
from typing import Final

import asyncpg
import orjson

from exchange.http.fair_turns import call_in_next_round
from exchange.http.request_limits import RequestLimits
from exchange.http.socket_limits import SocketLimits
from exchange.http.usage_sharing import UsageSharing
from exchange.log.engine_clock import EngineClock
from exchange.log.event_tail import TailPosition
from exchange.log.portions import portions
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.readers import Readers
from exchange.wall_clock import clock_ms, clock_us
from services.market_data.front.page import FrontPage
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.candle_rows import CandlesBehindError
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.history import History
from services.market_data.markets.price_moves import tell_moves
from services.market_data.markets.state import MarketState
from services.market_data.rest.app import RestApi
from services.market_data.rest.depth import DepthEndpoints
from services.market_data.rest.exchange_info import ExchangeInfoEndpoints
from services.market_data.rest.general import GeneralEndpoints
from services.market_data.rest.klines import KlineEndpoints
from services.market_data.rest.rules import RuleEndpoints
from services.market_data.rest.tickers import TickerEndpoints
from services.market_data.rest.trades import TradeEndpoints
from services.market_data.streams.hub import Hub
from services.market_data.streams.publisher import TICK_MS, StreamPublisher
from services.market_data.streams.sockets import CONNECTIONS_MAX, StreamSockets
from services.market_data.streams.user_feed import UserFeed

__all__ = ["MarketDataService"]

logger = logging.getLogger(__name__)
_START_TRIES: Final = 20
_START_RETRY_S: Final = 1.0
_STOPPED_LATE_TICKS: Final = 50
# How much later than its time an event may lie on the log, the difference of two clocks included.
_LATE_MS_MAX: Final = 1_000
# A table may be missing while the migrations still run.
_START_ERRORS: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    asyncpg.UndefinedTableError,
    CandlesBehindError,
)


class MarketDataService:
    """What follows the log and keeps time; `rest`, `front` and `sockets` are what an application mounts.

    They read the markets between the steps of this component.
    """

    name = "market-data"

    def __init__(self, resources: Resources, limits: RequestLimits | None = None) -> None:
        """`limits`: counted and shared by whoever made them."""
        settings = resources.settings
        self._shard = settings.shard
        self._readers = Readers.from_resources(resources)
        self.markets = MarketFollower(resources.event_log)
        history = History(self._readers, resources.history_turns, settings.database_deadline_ms)
        self._history = history
        self.endpoint_groups = (
            GeneralEndpoints(clock_us),
            ExchangeInfoEndpoints(self.markets, clock_us),
            DepthEndpoints(self.markets),
            TradeEndpoints(self.markets, history),
            KlineEndpoints(self.markets, history, clock_us),
            TickerEndpoints(self.markets, clock_us),
            RuleEndpoints(self.markets),
        )
        own = limits is None
        limits = limits or RequestLimits.from_settings(settings, clock_ms)
        socket_limits = SocketLimits("STREAM", limits, clock_ms, CONNECTIONS_MAX)
        self._sharing = UsageSharing(
            (*(limits.windows if own else ()), socket_limits.attempts),
            resources.cache,
            settings.cache_deadline_ms,
        )
        self.rest = RestApi(list(chain(*(group.endpoints() for group in self.endpoint_groups))), limits)
        self.front = FrontPage(self.markets, clock_us)
        self.hub = Hub()
        self._user_feed = UserFeed(resources.cache, self.hub, settings.cache_deadline_ms)
        self.sockets = StreamSockets(
            self.hub, self._user_feed, socket_limits, rate_limits=settings.rate_limits
        )
        self._last_tick_ms = 0
        # When a read began that found nothing new on the log.
        self._quiet_at_ms = 0
        self._engine_clock = EngineClock("market_data")
        self._start_problem = "not started"

    def look_for_dead_listen_keys(self) -> None:
        """Tell the listeners of keys that have died at once, and not within seconds."""
        self._user_feed.look_now()

    async def start(self) -> None:
        """Load the state and open the log.

        Raises after _START_TRIES refusals of the database in a row; candles that are being made are waited
        for, as long as they become more.
        """
        state, position = await self._load()
        await self.markets.begin(state, position)
        tell_moves(lambda: self.markets.state, clock_ms)
        logger.info("market data stand at seq %d, %d markets", state.seq, len(state.views))

    async def _load(self) -> tuple[MarketState, TailPosition]:
        attempt = 1
        while True:
            try:
                return await load_state(self._readers, self._shard, clock_ms())
            except _START_ERRORS as error:
                problem = f"the state cannot be loaded: {error!r}"
                if isinstance(error, CandlesBehindError) and problem != self._start_problem:
                    attempt = 1
                self._start_problem = problem
                if attempt == _START_TRIES:
                    raise
                logger.warning("%s, try %d", problem, attempt)
                if not isinstance(error, CandlesBehindError):
                    # A reader breaks off what takes it too long; the next try is the writer's.
                    self._readers.distrust()
                await asyncio.sleep(_START_RETRY_S)
                attempt += 1

    async def run(self) -> None:
        """Work until cancelled. Raises ChainError, CodecError, LogError or BookError."""
        publisher = StreamPublisher(self.markets.state, self.hub, clock_us)
        self.hub.take_turns(call_in_next_round)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(publisher), name="market-data-tail")
                group.create_task(self._keep_time(publisher), name="market-data-timers")
                group.create_task(self._user_feed.run(), name="market-data-user-feed")
                group.create_task(self._sharing.run(), name="market-data-usage")
        finally:
            # The server closes the sockets soon after this; the message goes out before.
            now_us = clock_us()
            self.hub.send_to_all(
                lambda scale: orjson.dumps({"e": "serverShutdown", "E": now_us * scale // 1000}),
                "!serverShutdown",
            )

    async def _follow(self, publisher: StreamPublisher) -> None:
        while True:
            began_ms = clock_ms()
            outcomes = await self.markets.read()
            if outcomes:
                # Its clock is what /api/v3/time tells.
                self._engine_clock.saw(outcomes[-1].time_ms, clock_ms())
            else:
                self._quiet_at_ms = began_ms
            for portion in portions(outcomes):
                publisher.live(self.markets.apply(portion))
                # Sockets get a turn, so that catching up does not fill their queues.
                await asyncio.sleep(0)

    async def _keep_time(self, publisher: StreamPublisher) -> None:
        while True:
            await asyncio.sleep((TICK_MS - clock_ms() % TICK_MS) / 1000)
            now_ms = clock_ms()
            # Times of events never go back; and what the log did not have a second later does not come.
            known_ms = max(self.markets.state.time_ms, self._quiet_at_ms - _LATE_MS_MAX)
            publisher.tick(now_ms, known_ms)
            self._last_tick_ms = now_ms

    async def stop(self) -> None:
        """Close what connections are left and let the log go."""
        for client in list(self.hub.clients):
            client.end()
        await self.markets.close()

    def readiness(self) -> Mapping[str, str | None]:
        """The books follow the log, the timers run.

        The cache is not asked: without it only the legacy listen keys are missing.
        """
        missing = self.markets.missing_records()
        books = f"{missing} records of the event log are still to be read" if missing else None
        if missing is None:
            books = self._start_problem
        late_ms = clock_ms() - self._last_tick_ms
        timers = None if late_ms < _STOPPED_LATE_TICKS * TICK_MS else "the timers stand still"
        return {"books": books, "timers": timers}
