"""All services in one process, or all but its far side: their components in the order of the data flow, their
apps behind one port.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.objects import FolderStore
from exchange.http.direct_answers import DirectHandler
from exchange.http.operations import add_operations_routes
from exchange.http.request_limits import RequestLimits
from exchange.http.routing import is_terminal_path, service_of_path
from exchange.http.usage_sharing import UsageSharing
from exchange.log.whole_log import WholeLog
from exchange.ports.object_keys import snapshots_prefix
from exchange.ports.world import LogError, ObjectStore
from exchange.process.components import Component, Resources
from exchange.process.connections import CONNECTION_ERRORS, acquire
from exchange.security.credentials import PostgresCredentials
from exchange.wall_clock import clock_ms
from local.bad_days.clock import SkewedAuthenticator
from local.bad_days.door import BadDays
from local.bad_days.plan import Plan
from local.far_side.component import FarSide
from local.terminal import terminal_app
from matching_engine.genesis import MARKETS_FILE, write_genesis
from matching_engine.poison import PoisonWatch
from matching_engine.remaking import SnapshotMaker
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.archive.component import archivers
from services.archive.retention import retentions
from services.auditor.component import Auditor
from services.market_data.api import create_app as create_market_data_app
from services.market_data.component import MarketDataService
from services.operator.admin import AdminApi
from services.operator.anomalies.acts import AnomalyActs
from services.operator.markets.daily import DailyTierCount
from services.order.api import create_app as create_order_app
from services.order.component import OrderService
from services.projections.ledger.store import read_position
from services.projections.withdrawals import WithdrawalSettler
from services.user.api import create_app as create_user_app
from services.user.component import UserService

__all__ = ["AssembledExchange", "assemble"]

_OPERATIONS_PATHS = ("/readyz", "/healthz", "/metrics")


@dataclass(frozen=True)
class AssembledExchange:
    """The whole exchange: what to run and what to serve."""

    components: list[Component]
    app: ASGIApp
    # What the server answers without the application.
    direct: Mapping[str, DirectHandler]
    order: OrderService
    user: UserService
    market_data: MarketDataService
    far_side: FarSide | None = None

    def readiness(self) -> Mapping[str, str | None]:
        """Every part of every component, by component."""
        return {
            part
            if part == component.name or component is self.far_side
            else f"{component.name}/{part}": problem
            for component in self.components
            for part, problem in component.readiness().items()
        }


async def assemble(
    resources: Resources,
    *,
    snapshot_maker: SnapshotMaker | None = None,
    far_side: FarSide | None = None,
    bad_days: bool = False,
    markets: Path | None = None,
) -> AssembledExchange:
    """Compose everything; an empty log gets its first assets and markets. Raises LogError.

    `snapshot_maker`: who makes the engine's snapshots, if not the engine itself. `far_side`: has ledger, hot
    books and notices in another process; without it the first two are here.
    `bad_days`: whoever reaches the port may order them (local/bad_days). `markets`: a file of markets for a
    new exchange.
    """
    settings = resources.settings
    store = FolderStore(settings.data_dir)
    await write_genesis(resources.command_log, markets or MARKETS_FILE)
    kept = resources
    # What retention has removed of the event log is read from the archive, by whoever needs it.
    whole_events = WholeLog(resources.event_log, store, settings.shard, "events")
    resources = dataclasses.replace(resources, event_log=whole_events)
    credentials = PostgresCredentials.from_resources(resources)
    skewed = SkewedAuthenticator(credentials) if bad_days else None
    # An address has one count, and one for all of this process's services.
    limits = RequestLimits.from_settings(settings, clock_ms)
    market_data = MarketDataService(resources, limits)
    order = OrderService(
        resources, credentials, authenticator=skewed, limits=limits, market_data=market_data.rest
    )
    user = UserService(resources, limits)
    components: list[Component] = [
        EngineRunner(
            resources.command_log,
            resources.event_log,
            Snapshots(store, snapshots_prefix(settings.shard)),
            shard_number=settings.shard,
            snapshot_every_commands=settings.snapshot_every_commands,
            poison=PoisonWatch.from_settings(settings),
            activates_rules=True,
            snapshot_maker=snapshot_maker,
        ),
        *([far_side] if far_side is not None else _projections(resources)),
        WithdrawalSettler(resources),
        *archivers(settings, resources.command_log, resources.event_log, store),
        *_retentions(kept, store),
        credentials,
        UsageSharing(limits.windows, resources.cache, settings.cache_deadline_ms),
        order,
        market_data,
        user,
        DailyTierCount(resources),
        AnomalyActs(resources),
        Auditor(resources, store),
    ]
    whole = Starlette()
    apps: dict[str, ASGIApp] = {
        "order": create_order_app(order),
        "market-data": create_market_data_app(market_data),
        "user": AdminApi(create_user_app(user), resources, lambda: exchange.readiness()),
    }
    by_path: ASGIApp = _ByPath(apps, whole, terminal_app())
    direct = order.rest.direct()
    if bad_days:
        # Every request must pass by what spoils it: none takes the short way.
        by_path, direct = BadDays(by_path, Plan(), partial(_expire, resources, market_data)), {}
    exchange = AssembledExchange(components, by_path, direct, order, user, market_data, far_side)
    add_operations_routes(whole, exchange.readiness, None if far_side is None else far_side.metrics)
    return exchange


async def _expire(resources: Resources, market_data: MarketDataService, keys: list[str]) -> None:
    """Let listen keys die as if their hour were over, and have their listeners told."""
    for key in keys:
        user_id = await resources.cache.getdel(f"listen_key:{key}")
        if user_id is not None:
            text = user_id.decode() if isinstance(user_id, bytes) else str(user_id)
            await resources.cache.delete(f"listen_key_of:{text}")
    market_data.look_for_dead_listen_keys()


def _projections(resources: Resources) -> Sequence[Component]:
    # Imported where they are: the metrics of a process are those of its modules.
    from services.projections.book.projection import BookProjection
    from services.projections.ledger.projection import LedgerProjection

    return LedgerProjection(resources), BookProjection(resources)


def _retentions(resources: Resources, store: ObjectStore) -> Sequence[Component]:
    """What shortens the embedded logs, if the settings ask for it; never beyond what the ledger has read."""
    settings, logs = resources.settings, (resources.command_log, resources.event_log)
    if not isinstance(logs[0], FileLog) or not isinstance(logs[1], FileLog):
        return ()

    async def ledger_needs() -> int:
        try:
            async with acquire(resources.database, settings.database_deadline_ms) as connection:
                return (await read_position(connection, settings.shard)).next_offset
        except CONNECTION_ERRORS as error:
            raise LogError(f"the ledger's place is not known: {error}") from error

    return retentions(settings, logs[0], logs[1], store, clock_ms, [ledger_needs])


class _ByPath:
    """Hands each request to the service that `exchange.http.routing` names, or to the terminal's files."""

    def __init__(self, apps: Mapping[str, ASGIApp], operations: ASGIApp, terminal: ASGIApp) -> None:
        self._apps = apps
        self._operations = operations
        self._terminal = terminal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] == "http" and is_terminal_path(path):
            app = self._terminal
        else:
            app = self._operations if path in _OPERATIONS_PATHS else self._apps[service_of_path(path)]
        await app(scope, receive, send)
