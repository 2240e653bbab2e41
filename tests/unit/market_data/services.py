"""A market-data service without servers: its state is fed by hand, its clock stands where it is put."""

from collections.abc import Iterable
from typing import Any, cast

import httpx
from starlette.types import ASGIApp

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import CommandOutcome
from exchange.http.request_limits import RequestLimits
from exchange.process.components import Resources
from exchange.process.config import Settings
from services.market_data.api import create_app
from services.market_data.component import MarketDataService
from services.market_data.streams.publisher import StreamPublisher
from tests.event_streams import START_MS


class OfflineService:
    """`now_ms` is the clock of everything that is asked."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        log = MemoryLog(lambda: self.now_ms)
        nothing = cast(Any, None)
        self.service = MarketDataService(Resources(Settings(), log, log, nothing, nothing))
        # It is fed by hand: there is no log to catch up with.
        vars(self.service.markets)["missing_records"] = lambda: 0
        self.state = self.service.markets.state
        self.hub = self.service.hub
        self.publisher = StreamPublisher(self.state, self.hub, self.clock_us)
        self.app: ASGIApp = create_app(self.service)
        for part in (*self.service.endpoint_groups, self.service.front):
            vars(part)["_clock_us"] = self.clock_us
        vars(self.service.rest)["_limits"] = RequestLimits(lambda: self.now_ms, is_enforced=True)

    def clock_us(self) -> int:
        """Microseconds since 1970, with a fraction of a millisecond."""
        return self.now_ms * 1000 + 7

    def apply(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Apply outcomes and send what is sent at once."""
        for outcome in outcomes:
            self.publisher.live([self.state.apply(outcome)])

    def tick(self, milliseconds: int = 100) -> None:
        """Let time pass and the timer come."""
        self.now_ms += milliseconds
        self.publisher.tick(self.now_ms)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask the application."""
        return await self.request("GET", path, **headers)

    async def request(self, method: str, path: str, **headers: str) -> httpx.Response:
        """Ask the application by any method."""
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
            return await client.request(method, path, headers=headers)
