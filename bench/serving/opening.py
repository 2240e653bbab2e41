"""The bench's exchange over servers that run: composed, quoted, served until nobody needs it."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.serving.door import Accounts, BenchDoor
from bench.serving.house import House
from exchange.adapters.chosen.own_logs import own_log_resources
from exchange.adapters.memory.log import MemoryLog
from exchange.http.server import HttpServer, bind
from exchange.process.components import Component, run_components
from exchange.process.config import Settings
from exchange.wall_clock import clock_ms
from local.assembly import AssembledExchange, assemble
from local.options import LocalOptions
from local.past.writing import past_records
from local.servers import free_port

__all__ = ["open_exchange"]

_READY_DEADLINE_S: Final = 60.0
# What keeps or proves what a bench forgets anyhow.
_LEFT_OUT: Final = ("auditor", "archive-", "retention-")
_MONEY: Final = {"BTC": "10000", "ETH": "100000"}
_MONEY_DEFAULT: Final = "100000000"


async def open_exchange(
    folder: Path,
    database_dsn: str,
    cache_url: str,
    markets: Path | None,
    prices: Mapping[str, str],
    history: bool,
) -> None:
    """Run it until standard input ends. Raises LogError, MarketsFileError."""
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
    commands = await _with_past(markets) if history else MemoryLog(clock_ms)
    logs = commands, MemoryLog(clock_ms)
    async with own_log_resources(settings, *logs) as resources:
        exchange = await assemble(resources, bad_days=True, markets=markets)
        accounts = Accounts(resources, exchange.user)
        house = House(exchange.order, exchange.market_data)
        door = BenchDoor(exchange, resources, house, accounts)
        components = [one for one in exchange.components if not one.name.startswith(_LEFT_OUT)]
        opening = _Opening(components, house, accounts, exchange, prices, options.url)
        await run_components([HttpServer(door, listener), *components, opening])


async def _with_past(markets: Path | None) -> MemoryLog:
    """A command log that begins with what seeded makers did (local/past), at its times."""
    ended, times = False, 0
    log = MemoryLog(lambda: clock_ms() if ended else times)
    writer = await log.writer()
    for times, record in past_records(markets):  # noqa: B007
        await writer.append(record)
    await writer.close()
    ended = True
    return log


class _Opening:
    """The last component: the house opens, the owner is told, and the end of his pipe is waited for."""

    name = "opening"

    def __init__(
        self, components: list[Component], house: House, accounts: Accounts, exchange: AssembledExchange,
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
