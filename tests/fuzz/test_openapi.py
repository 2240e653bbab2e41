"""Schemathesis over the OpenAPI documents of orders and of market data, with the services in this process.

Each run tries what its seed says; `make verify` tries ten thousand requests.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import httpx
import pytest

from exchange.trading.candles import Candle
from exchange.trading.trades import AggregateTrade, Trade
from services.market_data.markets.history import History
from services.order.doors.documents import OPENAPI_PATH
from tests.event_streams import RandomTrading
from tests.fuzz.openapi import Asked, operations, try_operation
from tests.unit.market_data.services import OfflineService
from tests.unit.order.order_exchange import ALICE, KEYS, OrderExchange, running_exchange

SEED = 20_261_129
# Operations, and requests to each.
SIZES = [
    pytest.param(4, 3, marks=pytest.mark.slow),
    pytest.param(1_000, 140, marks=[pytest.mark.thorough, pytest.mark.timeout(3_600)]),
]


class NothingOlder(History):
    """What PostgreSQL answers when it has nothing; what it could not take, it refuses as asyncpg does."""

    def __init__(self) -> None:
        return None

    def _bound(self, *values: int) -> None:
        if not all(-(2**63) <= value < 2**63 for value in values):
            raise asyncpg.DataError("value out of int64 range")

    async def candles(
        self, market_id: int, interval: Any, openings: Sequence[int], from_ms: int, end_ms: int
    ) -> tuple[list[Candle], int | None]:
        self._bound(market_id, from_ms, end_ms, *openings)
        return [], None

    async def trades_from(self, market_id: int, first_id: int, before_id: int, limit: int) -> list[Trade]:
        self._bound(market_id, first_id, before_id, limit)
        return []

    async def trade_id_at(self, market_id: int, time_ms: int) -> int | None:
        self._bound(market_id, time_ms)
        return None

    async def trade_id_of_aggregate(self, market_id: int, aggregate_id: int, before_id: int) -> int:
        self._bound(market_id, aggregate_id, before_id)
        return before_id

    async def aggregates_until(
        self, market_id: int, end_ms: int, before_id: int, limit: int
    ) -> list[AggregateTrade]:
        self._bound(market_id, end_ms, before_id, limit)
        return []


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as opened:
        yield opened


async def ask(exchange: OrderExchange, asked: Asked) -> httpx.Response:
    path = asked.path.removeprefix("/api/v3")
    parameters: dict[str, Any] = dict(asked.parameters)
    if asked.is_signed:
        parameters.pop("signature", None)
        parameters["timestamp"] = time.time_ns() // 1_000_000
        return await exchange.request(asked.verb, path, ALICE, **parameters)
    query = str(httpx.QueryParams(parameters))
    return await exchange.raw(asked.verb, path, query, headers={"X-MBX-APIKEY": KEYS[ALICE]})


@pytest.mark.parametrize(("count", "cases"), SIZES)
def test_orders_and_accounts(runner: asyncio.Runner, count: int, cases: int) -> None:
    print(f"seed {SEED}")
    opened = running_exchange()
    exchange = runner.run(opened.__aenter__())
    try:
        document = runner.run(exchange.client.get(OPENAPI_PATH)).json()
        for operation in operations(document, count, SEED):
            try_operation(document, operation, lambda asked: runner.run(ask(exchange, asked)), cases, SEED)
    finally:
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize(("count", "cases"), SIZES)
def test_market_data(runner: asyncio.Runner, count: int, cases: int) -> None:
    print(f"seed {SEED}")
    offline, trading = OfflineService(), RandomTrading(SEED)
    trading.run(100)
    offline.apply(trading.stream.outcomes)
    for part in offline.service.endpoint_groups:
        if "_history" in vars(part):
            vars(part)["_history"] = NothingOlder()
    document = runner.run(offline.get("/api/v3/openapi.json")).json()

    async def send(asked: Asked) -> httpx.Response:
        offline.now_ms += 60_000  # the request weights of one minute each
        answer: httpx.Response = await offline.get(f"{asked.path}?{httpx.QueryParams(asked.parameters)}")
        return answer

    for operation in operations(document, count, SEED):
        try_operation(document, operation, lambda asked: runner.run(send(asked)), cases, SEED)
