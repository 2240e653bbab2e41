"""A market-data service on a real port, fed by an event log in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx
from pydantic import SecretStr

from exchange.adapters.memory.log import MemoryLog
from exchange.http.server import HttpServer, bind
from exchange.process.components import Component, Resources, run_components
from exchange.process.config import Settings
from services.market_data.api import create_app
from services.market_data.component import MarketDataService
from tests.at_work import eventually
from tests.event_streams import EventStream

WAIT_S = 60.0


class MarketDataServer:
    """The service, its addresses, and the log that it follows."""

    def __init__(self, service: MarketDataService, log: MemoryLog, port: int) -> None:
        self.service = service
        self.log = log
        self.http = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"

    async def publish(self, stream: EventStream, outcomes_per_record: int = 20) -> None:
        """Append what is new in the stream to the event log."""
        writer = await self.log.writer()
        for record in stream.take_records(outcomes_per_record):
            await writer.append(record)

    async def has_applied(self, seq: int) -> None:
        """Wait until the service stands at `seq`."""
        await eventually(lambda: self.service.markets.state.seq >= seq)

    async def get(self, path: str) -> httpx.Response:
        """Ask the REST API."""
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as client:
            return await client.get(self.http + path)


def settings_of(database_dsn: str, valkey_url: str) -> Settings:
    """Settings for real servers."""
    return Settings(database_dsn=SecretStr(database_dsn), cache_url=SecretStr(valkey_url), rate_limits=False)


@contextlib.asynccontextmanager
async def serving(resources: Resources, others: Sequence[Component] = ()) -> AsyncIterator[MarketDataServer]:
    """Run the service on a free port."""
    service = MarketDataService(resources)
    listener = bind("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    http = HttpServer(create_app(service), listener)
    running = asyncio.create_task(run_components([http, *others, service]))
    log = resources.event_log
    assert isinstance(log, MemoryLog)
    server = MarketDataServer(service, log, port)
    try:
        await eventually(lambda: running.done() or not any(service.readiness().values()))
        if running.done():
            running.result()
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
