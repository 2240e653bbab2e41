"""`make run`: the whole exchange in one process and a child, with PostgreSQL and Valkey beside them.

The logs are files (group fsync). Everything else is the code that runs when deployed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.adapters.chosen.own_logs import file_logs, folder_of_log, own_log_resources
from exchange.adapters.files.log import FileLog
from exchange.http.server import HttpServer
from exchange.process.components import Component, Resources, run_components
from exchange.process.config import Settings
from exchange.process.loop.pulse import settle_process
from local.calling import call
from local.console import Steps, welcome
from local.folder import ANOTHER_VERSION, DataFolder
from local.keeper import KeptProcess
from local.listening import take_port
from local.operating import door_of, operator_public_key
from local.options import LocalOptions, engine_build, optional_market_maker, store_of_house
from local.refused import RefusedRequests
from local.servers import ServerError, free_port, postgres, valkey
from local.starting import Ground
from local.waiting import until_ready

if TYPE_CHECKING:
    from local.assembly import AssembledExchange
    from local.market_maker.bot import MarketMaker

    # What somebody does with an exchange that is ready: the replay of a recorded market.
    Work = Callable[[AssembledExchange, Resources], Awaitable[None]]

__all__ = ["run_embedded"]


async def run_embedded(
    options: LocalOptions, ground: Ground, work: "Work | None" = None, symbols: Collection[str] = ()
) -> None:
    """Run until cancelled on what was claimed, and do `work`, which needs `symbols`, once all is ready.

    Raises ServerError, LogError or OSError when a part does not start, and what `work` raises.
    """
    folder, steps = ground.folder, ground.steps
    listener = take_port(options.host, options.port, call("run"))
    build = await engine_build(options, steps)
    # The engine's build is chosen: only now may what reads a file of markets be imported.
    from local.markets import check_markets

    check_markets(_command_log(folder), options.markets, symbols)
    async with _servers(folder, steps) as (servers, database_dsn, cache_url):
        settings = _settings(options, folder, database_dsn, cache_url)
        if options.history:
            await _give_past(folder, options.markets, steps)
        async with _resources(settings, steps) as (resources, event_log):
            # The engine's build is chosen: only now may its modules be imported.
            from local.assembly import assemble
            from local.far_side.component import FarSide
            from local.market_maker.account import house_addresses
            from local.notices import notice_components
            from local.snapshot_process import ProcessSnapshots
            from services.operator.desk import OperatorDesk
            from services.operator.door import OperatorDoor

            steps("recovering from the log ...")
            # What has been built by now is what the child takes, or Python where that was not possible.
            snapshots = ProcessSnapshots(
                settings.data_dir, folder_of_log(settings, "commands"), settings.shard, options.engine_build
            )
            far_side = None if options.one_process else FarSide(event_log, settings, options.engine_build)
            exchange = await assemble(
                resources,
                snapshot_maker=snapshots,
                far_side=far_side,
                bad_days=options.bad_days,
                markets=options.markets,
            )
            # Before the engine: it is asked for while an engine is halted.
            door = OperatorDoor(OperatorDesk(resources), door_of(folder.state))
            market_maker = optional_market_maker(options)
            announce = _Announcement(
                exchange, options, folder, build, market_maker, _bound(work, exchange, resources), steps
            )
            refused = RefusedRequests()
            server = HttpServer(
                refused.seen(exchange.app), listener, direct=refused.seen_directly(exchange.direct)
            )
            house = house_addresses(store_of_house(options.data_dir))
            beside = [] if far_side is not None else [*notice_components(resources, house), _watch(resources)]
            parts = [*exchange.components, *beside]
            await run_components([*servers, server, door, *parts, announce], settle_process)


def _watch(resources: Resources) -> Component:
    # Imported where it is: the metrics of a process are those of its modules.
    from services.anomalies.component import AnomalyWatcher

    return AnomalyWatcher(resources)


class _Announcement:
    """The last component: runs the market maker, if any, and says that the exchange is ready."""

    name = "announcement"

    def __init__(
        self,
        exchange: "AssembledExchange",
        options: LocalOptions,
        folder: DataFolder,
        build: str,
        market_maker: "MarketMaker | None",
        work: Callable[[], Awaitable[None]],
        steps: Steps,
    ) -> None:
        self._exchange = exchange
        self._options = options
        self._folder = folder
        self._build = build
        self._market_maker = market_maker
        self._work = work
        self._steps = steps

    async def start(self) -> None:
        """Nothing: the other components must run first."""

    async def run(self) -> None:
        """Wait for readiness, start the bot, print where to look."""
        await until_ready(self._exchange.readiness, self._steps)
        try:
            async with asyncio.TaskGroup() as group:
                if self._market_maker is not None:
                    await self._market_maker.start()
                    group.create_task(self._market_maker.run(), name=self._market_maker.name)
                    await self._market_maker.first_quotes()
                print(welcome(self._options, "run", self._build), flush=True)
                await self._work()
                await asyncio.Event().wait()
        finally:
            # The first to be cancelled when the exchange stops: the other components take a while.
            self._folder.stopping()

    async def stop(self) -> None:
        """Stop the bot."""
        if self._market_maker is not None:
            await self._market_maker.stop()

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way."""
        return {}


def _bound(
    work: "Work | None", exchange: "AssembledExchange", resources: Resources
) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        if work is not None:
            await work(exchange, resources)

    return do


def _command_log(folder: DataFolder) -> Path:
    return folder.state / "log" / "commands.log"


async def _give_past(folder: DataFolder, markets: Path | None, steps: Steps) -> None:
    """Let a fresh exchange begin with a past."""
    from local.past.writing import give_past

    if await asyncio.to_thread(give_past, _command_log(folder), markets):
        steps("a past to begin with ...")


@contextlib.asynccontextmanager
async def _servers(folder: DataFolder, steps: Steps) -> AsyncIterator[tuple[list[Component], str, str]]:
    """Start PostgreSQL and Valkey, kept alive; yields the keepers, the DSN and the cache's URL."""
    postgres_port, valkey_port = free_port(), free_port()
    database = KeptProcess(
        "postgres", folder.run, lambda: postgres.start(folder.state, postgres_port, on_progress=steps)
    )
    cache = KeptProcess(
        "valkey", folder.run, lambda: valkey.start(folder.state, valkey_port, on_progress=steps)
    )
    try:
        await database.start()
        await cache.start()
        yield [_Running(database), _Running(cache)], database.started.dsn, cache.started.url
    finally:
        folder.stopping()
        steps("stopping ...")
        await asyncio.gather(cache.stop(), database.stop(), return_exceptions=True)


class _Running:
    """A kept server that was started before the components and is stopped after them."""

    def __init__(self, kept: KeptProcess[Any]) -> None:
        self.name = kept.name
        self._kept = kept

    async def start(self) -> None:
        """Already done."""

    async def run(self) -> None:
        """Keep it alive."""
        await self._kept.run()

    async def stop(self) -> None:
        """Done by the owner, after the connections are closed."""

    def readiness(self) -> Mapping[str, str | None]:
        """Whether it runs."""
        return self._kept.readiness()


def _settings(options: LocalOptions, folder: DataFolder, database_dsn: str, cache_url: str) -> Settings:
    return Settings.model_validate(
        {
            **options.settings(),
            "port": options.port,
            "data_dir": folder.state,
            "database_dsn": database_dsn,
            "cache_url": cache_url,
            "market_data_url": options.url,
            "public_url": options.url,
            "secret_key_file": folder.state / "secret.key",
            "operator_public_key": operator_public_key(folder.state),
        }
    )


@contextlib.asynccontextmanager
async def _resources(settings: Settings, steps: Steps) -> AsyncIterator[tuple[Resources, FileLog]]:
    """Open the logs and the connections, bring the tables up to date; closes them in reverse."""
    from services.migrations.runner import MigrationError, migrate

    steps("the log ...")
    async with (
        file_logs(settings) as (command_log, event_log),
        own_log_resources(settings, command_log, event_log) as resources,
    ):
        deadline_s = settings.database_deadline_ms / 1000
        async with resources.database.acquire(timeout=deadline_s) as connection:
            try:
                await migrate(connection)
            except MigrationError as error:
                raise ServerError(f"{error}{ANOTHER_VERSION}") from None
        yield resources, event_log
