"""`make stack`: the exchange as it is deployed, every part its own process, behind nginx on one port."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import httpx

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.limits import SOCKETS_PER_ADDRESS_MAX
from exchange.contracts.topics import SHARD_DEFAULT, commands_topic, events_topic
from local.carried import carried_folder
from local.console import Steps, welcome
from local.folder import ANOTHER_VERSION, DataFolder
from local.keeper import KeptProcess, StartedT
from local.operating import operator_public_key, write_settings
from local.options import LocalOptions, engine_build, optional_market_maker
from local.servers import ServerError, free_port, kafka, nginx, postgres, prometheus, valkey
from local.servers.process import GIVES_WAY, Command, ManagedProcess
from local.starting import Ground
from local.terminal import WEB_ROOT

if TYPE_CHECKING:
    from local.market_maker.bot import MarketMaker

__all__ = ["run_stack"]

logger = logging.getLogger(__name__)
_NGINX_TEMPLATE = carried_folder("infra/nginx", "gateway") / "exchange.conf.template"
_ALERTS = carried_folder("infra/prometheus", "prometheus") / "alerts.yml"
# The broker's 90 s may be in it.
_SERVICE_START_DEADLINE_S = 150.0
# A long tail of commands may have to be replayed.
_READY_DEADLINE_S = 600.0
_TOPICS_DEADLINE_MS = 30_000
_ANSWER_DEADLINE_S = 5.0
_TAIL_DEADLINE_S = 10.0
_TOPICS = [commands_topic(SHARD_DEFAULT), events_topic(SHARD_DEFAULT)]
# Settings that the stack passes on to its services; all others are its own.
_PASSED_ON = (
    "EXCHANGE_ARCHIVE_SEGMENT_AGE_MS",
    "EXCHANGE_CRASH_POINTS",
    "EXCHANGE_OPERATOR_PUBLIC_KEY",
    "EXCHANGE_SNAPSHOT_EVERY_COMMANDS",
    "EXCHANGE_TRACING_ENDPOINT",
    "EXCHANGE_TRACING_SHARE",
)
# Each part's module, and what it is told.
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "engine-0": ("matching_engine.main",),
    "engine-1": ("matching_engine.main",),
    "projections-ledger": ("services.projections.main", "ledger"),
    "projections-book": ("services.projections.main", "book"),
    "projections-withdrawals": ("services.projections.main", "withdrawals"),
    "archive": ("services.archive.main",),
    "order": ("services.order.main",),
    "market-data": ("services.market_data.main",),
    "user": ("services.user.main",),
    "auditor": ("services.auditor.main",),
    "notifier": ("local.notices",),
}
# Nobody waits for them: where the processor is short, those that answer come first (ADR 0063).
_GIVING_WAY = frozenset(
    {"projections-ledger", "projections-book", "projections-withdrawals", "archive", "auditor", "notifier"}
)


@dataclass(frozen=True)
class _RunningService:
    process: ManagedProcess


class _Stack:
    """The stack's parts in the order of their start."""

    def __init__(self, options: LocalOptions, folder: DataFolder, steps: Steps) -> None:
        self._options = options
        self._folder = folder
        self._steps = steps
        self._ports = {name: free_port() for name in _SERVICES}
        self._kafka_port = free_port()
        self._environment: dict[str, str] = {}
        # One for all questions: each client loads the world's certificates, which takes 20 ms.
        self._asking = httpx.AsyncClient(trust_env=False, timeout=_ANSWER_DEADLINE_S)
        self.parts: list[KeptProcess[Any]] = []
        # Where they are shown, if anywhere.
        self.alerts_url = ""

    async def start(self) -> None:
        """Start servers, prepare the database and the topics, start the services and the gateway."""
        async with asyncio.TaskGroup() as group:
            broker = group.create_task(self._start_broker())
            await self._start_stores()
            await self._run_migrations()
            if not (self._folder.state / "kafka" / "log" / f"{_TOPICS[0]}-0").exists():
                await broker
            # Else they wait for it themselves, and are loaded while it starts, which takes longer.
            self._steps("services ...")
            # Two cores start what trading needs sooner where the rest does not start beside it.
            await self._start_services(name for name in _SERVICES if name not in _GIVING_WAY)
            await self._start_gateway()
        await self._wait_until_one_trades()
        await self._start_services(_GIVING_WAY)
        await self._start_sight()

    async def _start_services(self, names: Iterable[str]) -> None:
        await asyncio.gather(*(self._keep(name, partial(self._start_service, name)) for name in names))

    async def _wait_until_one_trades(self) -> None:
        """Until what was left is decided and the order service knows it, or that takes long."""
        give_up_s = time.monotonic() + _TAIL_DEADLINE_S
        while time.monotonic() < give_up_s:
            engines = [await self._answers(name, "readyz") for name in ("engine-0", "engine-1")]
            if any(engines) and await self._answers("order", "readyz"):
                return
            await asyncio.sleep(0.1)

    async def _start_sight(self) -> None:
        """What an operator looks at, where the machine has it: nothing of the exchange waits for it."""
        if not self._options.sight:
            return
        self._steps("dashboards: in Grafana, which is in no package: `docker compose up --build` shows them")
        if not prometheus.is_there():
            self._steps(
                "no alerts are shown: there is no `prometheus` on the path (apt-get install prometheus)"
            )
            return
        config = prometheus.configuration(self._ports, _ALERTS)
        port = free_port()
        try:
            server = await self._keep(
                prometheus.NAME,
                lambda: prometheus.start(self._folder.state, port, config, on_progress=self._steps),
            )
        except ServerError as error:
            self.parts = [part for part in self.parts if part.name != prometheus.NAME]
            self._steps(f"no alerts are shown: {error}")
            return
        self.alerts_url = f"{server.url}/alerts"

    async def _start_stores(self) -> None:
        """PostgreSQL and Valkey; the services' environment names them and the broker."""
        state, steps = self._folder.state, self._steps
        postgres_port, valkey_port = free_port(), free_port()
        database, cache = await asyncio.gather(
            self._keep("postgres", lambda: postgres.start(state, postgres_port, on_progress=steps)),
            self._keep("valkey", lambda: valkey.start(state, valkey_port, on_progress=steps)),
        )
        self._environment = self._service_environment(database.dsn, cache.url)
        write_settings(state, self._environment)

    async def _start_broker(self) -> None:
        state, port, fast = self._folder.state, self._kafka_port, self._options.fast_start
        await self._keep("kafka", lambda: kafka.start(state, port, fast_start=fast, on_progress=self._steps))
        cluster = KafkaCluster(f"127.0.0.1:{port}", _TOPICS_DEADLINE_MS)
        await ensure_topics(cluster, _TOPICS, replicas=1)

    async def _start_gateway(self) -> None:
        state, config = self._folder.state, self._write_nginx_config()
        await self._keep(
            "nginx",
            lambda: nginx.start(
                state,
                self._options.port,
                prefix_dir=state / "nginx",
                config_file=config,
                served_dir=WEB_ROOT,
                on_progress=self._steps,
            ),
        )

    async def run(self) -> None:
        """Keep every part alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(part.run(), name=part.name)

    async def stop(self) -> None:
        """Stop the services together, then the servers, newest first."""
        names = {*_SERVICES, "nginx"}
        await asyncio.gather(*(p.stop() for p in self.parts if p.name in names), return_exceptions=True)
        servers = [p for p in self.parts if p.name not in names]
        await asyncio.gather(*(p.stop() for p in servers), return_exceptions=True)
        await self._asking.aclose()

    async def wait_ready(self) -> None:
        """Poll the one port's /readyz. Raises ServerError with what is missing."""
        problem = "no answer"
        try:
            async with asyncio.timeout(_READY_DEADLINE_S):
                while True:
                    try:
                        answer = await self._asking.get(f"{self._options.url}/readyz")
                        if answer.status_code == 200:
                            return
                        problem = answer.text[:500]
                    except httpx.HTTPError as error:
                        problem = repr(error)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise ServerError(f"not ready: {problem}; see {self._folder.state}/logs") from None

    async def _keep(self, name: str, start_child: Callable[[], Awaitable[StartedT]]) -> StartedT:
        part = KeptProcess(name, self._folder.run, start_child)
        self.parts.append(part)
        await part.start()
        return part.started

    def _service_environment(self, database_dsn: str, cache_url: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("EXCHANGE_") or k in _PASSED_ON}
        own = {
            **{name.upper(): value for name, value in self._options.settings().items()},
            "DATA_DIR": str(self._folder.state),
            "KAFKA_BOOTSTRAP": f"127.0.0.1:{self._kafka_port}",
            "DATABASE_DSN": database_dsn,
            "CACHE_URL": cache_url,
            "PUBLIC_URL": self._options.url,
            "MARKET_DATA_URL": f"http://127.0.0.1:{self._ports['market-data']}",
            "SECRET_KEY_FILE": str(self._folder.state / "secret.key"),
            "OPERATOR_PUBLIC_KEY": operator_public_key(self._folder.state),
            "TRUSTED_PROXIES": "127.0.0.1",
            "ADMIN_BY_GATEWAY": "true",
            "LEASE": f"file:{self._folder.state / 'engine.lease'}",
            "ACTIVATES_RULES": "true",
            "PEER_URLS": ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._ports.items()),
        }
        return inherited | {f"EXCHANGE_{name}": value for name, value in own.items()}

    async def _run_migrations(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.migrations", env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(_SERVICE_START_DEADLINE_S):
            output, _ = await process.communicate()
        if process.returncode:
            raise ServerError(output.decode(errors="replace").strip().removesuffix(".") + ANOTHER_VERSION)

    async def _start_service(self, name: str) -> _RunningService:
        port = self._ports[name]
        # The folder in the command line tells our processes from another stack's (see `leftovers`).
        argv = [sys.executable, "-X", f"folder={self._folder.state}", "-m", *_SERVICES[name]]
        command = Command(
            argv,
            program=Path(sys.executable).resolve().name,
            marker=str(self._folder.state),
            environment={**self._environment, "EXCHANGE_PORT": str(port)},
            niceness=GIVES_WAY if name in _GIVING_WAY else 0,
        )
        process = await ManagedProcess.start(name, self._folder.state, command)
        await process.wait_ready(partial(self._answers, name, "healthz"), _SERVICE_START_DEADLINE_S)
        return _RunningService(process)

    async def _answers(self, name: str, question: str) -> bool:
        try:
            answer = await self._asking.get(f"http://127.0.0.1:{self._ports[name]}/{question}")
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def _write_nginx_config(self) -> Path:
        addresses: Mapping[str, str] = {
            "LISTEN": f"{self._options.host}:{self._options.port}",
            "WEB_ROOT": str(WEB_ROOT),
            "SOCKETS_PER_ADDRESS": str(
                SOCKETS_PER_ADDRESS_MAX if self._options.request_limits else nginx.NO_LIMIT
            ),
            "ORDER_ADDRESS": f"127.0.0.1:{self._ports['order']}",
            "USER_ADDRESS": f"127.0.0.1:{self._ports['user']}",
            "MARKET_DATA_ADDRESS": f"127.0.0.1:{self._ports['market-data']}",
        }
        path = self._folder.state / "nginx.conf"
        path.write_text(Template(_NGINX_TEMPLATE.read_text()).safe_substitute(addresses))
        return path


async def run_stack(options: LocalOptions, ground: Ground) -> None:
    """Run the stack until cancelled on what was claimed. Raises ServerError when a part does not start."""
    folder, steps = ground.folder, ground.steps
    build = await engine_build(options, steps)
    stack = _Stack(options, folder, steps)
    market_maker: MarketMaker | None = None
    try:
        await stack.start()
        await stack.wait_ready()
        market_maker = optional_market_maker(options)
        async with asyncio.TaskGroup() as group:
            group.create_task(stack.run())
            if market_maker is not None:
                await market_maker.start()
                group.create_task(market_maker.run(), name=market_maker.name)
                await market_maker.first_quotes()
            print(welcome(options, "stack", build, stack.alerts_url), flush=True)
    finally:
        folder.stopping()
        if market_maker is not None:
            await market_maker.stop()
        steps("stopping ...")
        await stack.stop()
