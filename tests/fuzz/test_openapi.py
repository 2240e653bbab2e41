"""Schemathesis over the OpenAPI documents of orders and of market data, with the services in this process.

Each run tries what its seed says; `make verify` tries ten thousand requests.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

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
    document = runner.run(offline.get("/api/v3/openapi.json")).json()

    async def send(asked: Asked) -> httpx.Response:
        offline.now_ms += 60_000  # the request weights of one minute each
        answer: httpx.Response = await offline.get(f"{asked.path}?{httpx.QueryParams(asked.parameters)}")
        return answer

    for operation in operations(document, count, SEED):
        try_operation(document, operation, lambda asked: runner.run(send(asked)), cases, SEED)
