"""Starts the bench's exchange: servers and imports side by side, logs in memory, nothing kept."""

import asyncio
import contextlib
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.serving.template import HASTY, copy_template
from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.postgres.pool import close_pool, open_keys_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.http.server import HttpServer, bind
from exchange.process.components import Component, Resources, run_components
from exchange.process.config import Settings
from local.options import LocalOptions
from local.servers import free_port, postgres, valkey

if TYPE_CHECKING:
    from local.assembly import AssembledExchange

__all__ = ["run_bench"]

_READY_DEADLINE_S: Final = 60.0
# What keeps or proves what a bench forgets anyhow.
_LEFT_OUT: Final = ("auditor", "archive-", "retention-")
_MONEY: Final = {"BTC": "10000", "ETH": "100000"}
_MONEY_DEFAULT: Final = "100000000"


async def run_bench(markets: Path | None, prices: Mapping[str, str]) -> None:
    """Run until standard input ends or a signal comes. Raises ServerError, LogError, MarketsFileError."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    folder.chmod(0o755)
    try:
        imports = asyncio.create_task(asyncio.to_thread(_imports))
        async with _servers(folder) as (database_dsn, cache_url):
            await imports
            await _run(folder, database_dsn, cache_url, markets, prices)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _imports() -> None:
    """A second's work, done while the servers start."""
    importlib.import_module("bench.serving.door")
    importlib.import_module("local.assembly")


@contextlib.asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[tuple[str, str]]:
    async def database() -> postgres.Server:
        await copy_template(folder)
        return await postgres.start(folder, free_port(), settings=HASTY)

    cache_task = asyncio.create_task(valkey.start(folder, free_port(), settings={"appendonly": "no"}))
    database_server = await database()
    cache_server = await cache_task
    try:
        yield database_server.dsn, cache_server.url
    finally:
        await asyncio.gather(cache_server.stop(), database_server.stop(), return_exceptions=True)


async def _run(
    folder: Path, database_dsn: str, cache_url: str, markets: Path | None, prices: Mapping[str, str]
) -> None:
    from bench.serving.door import Accounts, BenchDoor
    from bench.serving.house import House
    from local.assembly import assemble

    port = free_port()
    listener = bind("127.0.0.1", port)
    options = LocalOptions("127.0.0.1", port, folder, False, False, False, "interpreted", True)
    settings = Settings.model_validate(
        {
            **options.settings(),
            "port": port,
            "data_dir": folder,
            "database_dsn": database_dsn,
            "database_pool_size": 10,
            "cache_url": cache_url,
            "market_data_url": options.url,
            "secret_key_file": folder / "secret.key",
            "command_tick_ms": 0,
        }
    )
    async with _resources(settings) as resources:
        exchange = await assemble(resources, bad_days=True, markets=markets)
        accounts = Accounts(resources, exchange.user)
        house = House(exchange.order, exchange.market_data)
        door = BenchDoor(exchange, house, accounts)
        components = [one for one in exchange.components if not one.name.startswith(_LEFT_OUT)]
        opening = _Opening(components, house, accounts, exchange, prices, options.url)
        await run_components([HttpServer(door, listener), *components, opening])


@contextlib.asynccontextmanager
async def _resources(settings: Settings) -> AsyncIterator[Resources]:
    async with contextlib.AsyncExitStack() as stack:
        database = await open_pool(settings)
        stack.push_async_callback(close_pool, database, settings.database_deadline_ms)
        keys = await open_keys_pool(settings)
        stack.push_async_callback(close_pool, keys, settings.database_deadline_ms)
        cache = open_cache(settings)
        stack.push_async_callback(cache.aclose)
        logs = MemoryLog(_now_ms), MemoryLog(_now_ms)
        key = FileKeyWrapper(settings.secret_key_file)
        yield Resources(settings, *logs, database, cache, key, database_keys=keys)


class _Opening:
    """The last component: the house opens, the owner is told, and the end of his pipe is waited for."""

    name = "opening"

    def __init__(
        self, components: list[Component], house: Any, accounts: Any, exchange: "AssembledExchange",
        prices: Mapping[str, str], url: str,
    ) -> None:  # fmt: skip
        self._components = components
        self._house = house
        self._accounts = accounts
        self._exchange = exchange
        self._prices = prices
        self._url = url

    async def start(self) -> None:
        """Nothing: the other components must run first."""

    async def run(self) -> None:
        """Open, tell, wait; then end the process as Ctrl-C would."""
        async with asyncio.timeout(_READY_DEADLINE_S):
            while any(problem for one in self._components for problem in one.readiness().values()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        codes = [asset.code for asset in self._exchange.market_data.markets.state.assets.values()]
        money = {code: _MONEY.get(code, _MONEY_DEFAULT) for code in codes}
        (maker_id, _), (taker_id, _) = await asyncio.gather(
            self._accounts.open(money), self._accounts.open(money)
        )
        await self._house.open(maker_id, taker_id, self._prices)
        print(json.dumps({"url": self._url, "pid": os.getpid()}), flush=True)
        await _end_of_input()
        raise SystemExit(0)

    async def stop(self) -> None:
        """Nothing is held."""

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way."""
        return {}


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
