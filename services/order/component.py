"""The order service as a component: the view that follows the event log, and the way to the engine."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

import asyncpg
import redis.exceptions

from exchange.contracts.codec import CommandOutcome
from exchange.http.request_limits import RequestLimits
from exchange.http.socket_limits import SocketLimits
from exchange.http.usage_sharing import UsageSharing
from exchange.log.barrier import OutcomeBarrier
from exchange.log.event_tail import EventTail, newest_outcome
from exchange.log.gateway import CommandGateway, run_and_settle
from exchange.log.portions import portions
from exchange.ports.world import LogError, LogReader, LogWriter
from exchange.process.components import Resources
from exchange.process.tracing import Tracing
from exchange.security.credentials import Credentials
from exchange.wall_clock import clock_ms, clock_us
from services.order.decisions.absent import Absent
from services.order.decisions.amending import Amending
from services.order.decisions.cancelling import Cancelling
from services.order.decisions.engine_link import EngineLink
from services.order.decisions.listing import Listing
from services.order.decisions.order_counts import UnfilledOrders
from services.order.decisions.placing import Placing
from services.order.decisions.queries import Queries
from services.order.decisions.replacing import Replacing
from services.order.doors.authentication import Authenticator
from services.order.doors.market_data import MarketDataClient, MarketDataSource
from services.order.doors.rest import RestApi
from services.order.doors.routes import build_routes
from services.order.doors.ws_api import CONNECTIONS_MAX, WsApi
from services.order.user_data.hub import UserDataHub
from services.order.user_data.listen_keys import ListenKeys
from services.order.view.bootstrap import load_view
from services.order.view.history import History
from services.order.view.model import AccountView
from services.order.wallet.wallet import Wallet

__all__ = ["OrderService"]

logger = logging.getLogger(__name__)
READ_TIMEOUT_MS: Final = 500
LOG_SILENCE_S_MAX: Final = 10.0
START_ATTEMPTS_MAX: Final = 60
START_PAUSE_S: Final = 1.0
PROBE_EVERY_S: Final = 2.0
STOP_DEADLINE_S: Final = 3.0
_DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class OrderService:
    """Answers orders and questions. `rest` and `websocket` are what an application mounts."""

    name = "order"

    def __init__(
        self,
        resources: Resources,
        credentials: Credentials,
        monotonic_s: Callable[[], float] = time.monotonic,
        tracing: Tracing | None = None,
        authenticator: Authenticator | None = None,
        limits: RequestLimits | None = None,
        market_data: MarketDataSource | None = None,
    ) -> None:
        """`authenticator`: who judges requests by another clock than this process's (local/bad_days).

        `limits`: counted and shared by whoever made them. `market_data`: the service, where it is in this
        process.
        """
        settings = resources.settings
        self._resources = resources
        self._settings = settings
        self._monotonic_s = monotonic_s
        self.engine = EngineLink()
        self._barrier = OutcomeBarrier(resources.command_log)
        self._tail: EventTail | None = None
        self._reader: LogReader | None = None
        self._writer: LogWriter | None = None
        self._last_read_s = 0.0
        self._problems: dict[str, str | None] = {"log": "not started", "database": None, "cache": None}
        limits, sockets = self._count(limits)
        history = History(
            resources.database,
            resources.history_turns,
            settings.shard,
            settings.database_deadline_ms / 1000,
        )
        authenticator = authenticator or Authenticator(credentials, clock_us)
        listen_keys = ListenKeys(resources.cache)
        self.hub = UserDataHub(self.engine, listen_keys, resources.cache)
        self._unfilled = UnfilledOrders(limits)
        placing, cancelling = Placing(self.engine, limits), Cancelling(self.engine)
        routes = build_routes(
            placing,
            cancelling,
            Replacing(self.engine, limits, cancelling, placing),
            Amending(self.engine, history),
            Listing(self.engine, history, limits),
            Queries(self.engine, history, limits),
            Absent(self.engine),
            Wallet(self.engine, history),
            listen_keys,
        )
        self.routes = routes.rest
        self.rest = RestApi(
            routes.rest,
            authenticator,
            limits,
            self.engine,
            body_size_bytes_max=settings.body_size_bytes_max,
            receive_deadline_s=settings.request_deadline_ms / 1000,
            tracing=tracing,
        )
        self.websocket = WsApi(
            routes.methods,
            authenticator,
            limits,
            sockets,
            self.engine,
            self.hub,
            market_data or MarketDataClient(settings.market_data_url, settings.request_deadline_ms / 1000),
            clock_ms,
            settings.body_size_bytes_max,
            tracing,
        )

    def _count(self, given: RequestLimits | None) -> tuple[RequestLimits, SocketLimits]:
        """What is counted here, and shared: of limits that were given their owner shares the windows."""
        settings = self._settings
        limits = given or RequestLimits.from_settings(settings, clock_ms)
        sockets = SocketLimits("API", limits, clock_ms, CONNECTIONS_MAX)
        windows = (sockets.attempts,) if given else (*limits.windows, sockets.attempts)
        self._sharing = UsageSharing(windows, self._resources.cache, settings.cache_deadline_ms)
        return limits, sockets

    async def start(self) -> None:
        """Load the view and open the logs; waits for database and log for a bounded time, then raises.

        A process that ends and starts again is seconds later back than one that waits.
        """
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                view = await self._load()
                self._writer = await self._resources.command_log.writer()
                await self._catch_up(view)
                break
            except (*_DATABASE_ERRORS, LogError) as error:  # the schema may not be there yet either
                await self._close_logs()
                if attempt == START_ATTEMPTS_MAX:
                    raise
                logger.warning("the view cannot be loaded yet: %s", error)
                await asyncio.sleep(START_PAUSE_S)
        assert self._writer is not None, "opened above"
        gateway = CommandGateway(
            self._writer,
            tick_ms=self._settings.command_tick_ms,
            tick_ms_max=self._settings.command_tick_ms_max,
            deadline_ms=self._settings.command_deadline_ms,
            waiting_max=self._settings.commands_waiting_max,
            wait_max_ms=self._settings.command_wait_max_ms,
            sender=self.name,
            clock_s=self._monotonic_s,
        )
        self._problems["log"] = None
        self.engine.connect(view, gateway, self._barrier)

    async def _catch_up(self, view: AccountView) -> None:
        """Follow the events up to where the log ends now, so that the first answers are not old ones."""
        assert self._tail is not None, "the view is loaded"
        end_offset = await self._resources.event_log.end_offset()
        newest: CommandOutcome | None = None
        while self._tail.position.next_offset < end_offset:
            for portion in portions(await self._tail.read(READ_TIMEOUT_MS)):
                for outcome in portion:
                    view.apply(outcome)
                    newest = outcome
                await asyncio.sleep(0)
        if newest is None:
            newest = await newest_outcome(self._resources.event_log, end_offset)
        if newest is not None:
            self._barrier.saw([newest])
        self._last_read_s = time.monotonic()

    async def _load(self) -> AccountView:
        """The view as PostgreSQL has it; the tail stands where it ends."""
        deadline_s = self._settings.database_deadline_ms / 1000
        async with self._resources.database.acquire(timeout=deadline_s) as connection:
            view, position = await load_view(connection, self._settings.shard, deadline_s)
        self._reader = await self._resources.event_log.reader(position.next_offset)
        self._tail = EventTail(self._reader, position)
        return view

    async def run(self) -> None:
        """Work until cancelled; then let the commands that are on their way be answered."""
        assert self.engine.is_started, "start comes first"
        gateway = self.engine.gateway
        try:
            await run_and_settle(gateway, self._work(gateway))
        finally:
            # The server closes the sockets soon after this; the message goes out before.
            self.websocket.announce_shutdown()

    async def _work(self, gateway: CommandGateway) -> None:
        """Follow the events, send the commands, publish user data; the first failure ends them all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(gateway), name="order: events")
            group.create_task(gateway.run(), name="order: commands")
            group.create_task(self.hub.run(self._settings.cache_deadline_ms / 1000), name="order: user data")
            group.create_task(self._probe(), name="order: probe")
            group.create_task(self._sharing.run(), name="order: usage")
            group.create_task(self.websocket.end_refused_streams(), name="order: streams' keys")

    async def _follow(self, gateway: CommandGateway) -> None:
        """Each event goes to the view, then to the user data streams; then the callers are woken."""
        tail, view, hub = self._tail, self.engine.view, self.hub
        assert tail is not None, "start comes first"
        while True:
            outcomes = await tail.read(READ_TIMEOUT_MS)
            self._last_read_s = time.monotonic()
            if outcomes:
                self.engine.clock.saw(outcomes[-1].time_ms, clock_ms())
            for portion in portions(outcomes):
                for outcome in portion:
                    self._unfilled.observe(outcome, is_ours=gateway.has_sent(outcome.command_id))
                    for recorded in outcome.events:
                        view.apply_event(recorded, outcome.time_ms)
                        hub.observe(outcome, recorded)
                    hub.finish(outcome)
                self._barrier.saw(portion)
                gateway.resolve(portion)
                # Sockets send and requests are answered between two portions, also while catching up.
                await asyncio.sleep(0)

    async def _probe(self) -> None:
        """Look at the database and the cache now and then, for `readiness`."""
        database, cache = self._resources.database, self._resources.cache
        while True:
            try:
                deadline_s = self._settings.database_deadline_ms / 1000
                async with database.acquire(timeout=deadline_s) as connection:
                    await connection.execute("SELECT 1", timeout=deadline_s)
                self._problems["database"] = None
            except _DATABASE_ERRORS as error:
                self._problems["database"] = f"{type(error).__name__}: {error}"
            try:
                async with asyncio.timeout(self._settings.cache_deadline_ms / 1000):
                    await cache.ping()
                self._problems["cache"] = None
            except (redis.exceptions.RedisError, OSError) as error:
                self._problems["cache"] = f"{type(error).__name__}: {error}"
            await asyncio.sleep(PROBE_EVERY_S)

    async def stop(self) -> None:
        """Close the logs."""
        await self._close_logs()
        with contextlib.suppress(TimeoutError):
            await self._barrier.close()

    async def _close_logs(self) -> None:
        logs, self._reader, self._writer = (self._reader, self._writer), None, None
        for closable in logs:
            if closable is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_DEADLINE_S):
                        await closable.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Parts: log, database, cache."""
        problems = dict(self._problems)
        if self.engine.is_started:
            failure = self.engine.gateway.failure
            if failure is not None:
                problems["log"] = f"commands cannot be sent: {failure}"
            elif time.monotonic() - self._last_read_s > LOG_SILENCE_S_MAX:
                problems["log"] = "events have not been read lately"
        return problems
