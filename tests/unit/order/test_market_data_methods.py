"""Market data by the WebSocket API: each method answers as its endpoint by REST (binance-spot-api 5)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conformance import covers
from tests.event_streams import RandomTrading
from tests.unit.market_data.services import OfflineService
from tests.unit.order.order_exchange import running_exchange
from tests.unit.order.ws_client import connected

BTC: dict[str, object] = {"symbol": "BTCUSDT"}
METHODS: list[tuple[str, str, dict[str, object]]] = [
    ("exchangeInfo", "/exchangeInfo", BTC),
    ("executionRules", "/executionRules", BTC),
    ("depth", "/depth", BTC),
    ("trades.recent", "/trades", BTC),
    ("trades.historical", "/historicalTrades", BTC | {"fromId": 3, "limit": 2}),
    ("blockTrades.historical", "/historicalBlockTrades", BTC | {"fromId": 1}),
    ("trades.aggregate", "/aggTrades", BTC | {"limit": 5}),
    ("klines", "/klines", BTC | {"interval": "1s"}),
    ("uiKlines", "/uiKlines", BTC | {"interval": "1m", "timeZone": "+08:00"}),
    ("avgPrice", "/avgPrice", BTC),
    ("ticker.24hr", "/ticker/24hr", {"symbols": ["BTCUSDT", "ETHUSDT"]}),
    ("ticker.tradingDay", "/ticker/tradingDay", BTC),
    ("ticker", "/ticker", BTC | {"windowSize": "7d"}),
    ("ticker.price", "/ticker/price", {}),
    ("ticker.book", "/ticker/bookTicker", BTC),
    ("referencePrice", "/referencePrice", BTC),
    ("referencePrice.calculation", "/referencePrice/calculation", BTC),
]


def texts(parameters: dict[str, object]) -> dict[str, object]:
    """As a query has them: lists as JSON."""
    return {
        k: json.dumps(v, separators=(",", ":")) if isinstance(v, list) else v for k, v in parameters.items()
    }


@asynccontextmanager
async def served(offline: OfflineService) -> AsyncIterator[int]:
    """The market-data application behind a port, one request a connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split(" ", 2)[1]
        unit = "MICROSECOND" if "MICROSECOND" in head else "MILLISECOND"
        found = await offline.get(target, **{"X-MBX-TIME-UNIT": unit})
        line = f"HTTP/1.1 {found.status_code} X\r\nContent-Length: {len(found.content)}\r\n\r\n"
        writer.write(line.encode() + found.content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@covers(
    "ws exchangeInfo",
    "ws executionRules",
    "ws depth",
    "ws trades.recent",
    "ws trades.historical",
    "ws blockTrades.historical",
    "ws trades.aggregate",
    "ws klines",
    "ws uiKlines",
    "ws avgPrice",
    "ws ticker.24hr",
    "ws ticker.tradingDay",
    "ws ticker",
    "ws ticker.price",
    "ws ticker.book",
    "ws referencePrice",
    "ws referencePrice.calculation",
    "ws ping",
    "ws time",
)
@pytest.mark.parametrize("query", ["", "timeUnit=MICROSECOND"])
async def test_each_method_answers_as_its_endpoint(query: str) -> None:
    offline = OfflineService()
    trading = RandomTrading(5)
    trading.run(400)
    offline.apply(trading.stream.outcomes)
    offline.now_ms = offline.state.time_ms + 5_000
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"} if query else {}
    async with (
        served(offline) as port,
        running_exchange(market_data_url=f"http://127.0.0.1:{port}") as exchange,
        connected(exchange, query) as socket,
    ):
        for method, path, parameters in METHODS:
            texts = {
                k: v if isinstance(v, str | int) else json.dumps(v, separators=(",", ":"))
                for k, v in parameters.items()
            }
            found = await offline.get(f"/api/v3{path}?{urlencode(texts)}", **headers)
            reply: dict[str, Any] = await socket.ask(method, **parameters)
            assert reply["status"] == found.status_code, method
            assert reply["result" if found.status_code == 200 else "error"] == found.json(), method
        assert (await socket.ask("ping"))["result"] == {}
        told = (await socket.ask("time"))["result"]["serverTime"]
        assert len(str(told)) == (16 if query else 13)


async def test_market_data_is_fetched_from_its_service_and_embedded_raw() -> None:
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        is_bad = b"NOPE" in requests[-1]
        body = b'{"code":-1121,"msg":"Invalid symbol."}' if is_bad else b'{"lastUpdateId":1,"bids":[]}'
        status = b"400 Bad Request" if is_bad else b"200 OK"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        running_exchange(market_data_url=f"http://127.0.0.1:{port}") as exchange,
        connected(exchange) as socket,
    ):
        depth = await socket.ask("depth", symbol="BTCUSDT", limit=5)
        assert (depth["status"], depth["result"]) == (200, {"lastUpdateId": 1, "bids": []})
        assert requests[0].startswith(b"GET /api/v3/depth?symbol=BTCUSDT&limit=5 HTTP/1.1\r\n")
        bad = await socket.ask("ticker.price", symbols=["NOPE", "A"])
        assert (bad["status"], bad["error"]["code"]) == (400, -1121)
        assert b"symbols=%5B%22NOPE%22%2C%22A%22%5D " in requests[1]


async def test_absent_market_data_service_is_an_error_not_a_hang() -> None:
    async with (
        running_exchange(market_data_url="http://127.0.0.1:1") as exchange,
        connected(exchange) as socket,
    ):
        reply = await socket.ask("depth", symbol="BTCUSDT")
        assert (reply["status"], reply["error"]["code"]) == (503, -1001)
