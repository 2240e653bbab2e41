"""WebSockets beside the requests: orders by the WebSocket API, and watchers of a book's stream."""

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Final, Self

import aiohttp
import orjson

from loadtest.accounts import TradingKey
from loadtest.lean.connections import OnAnswer
from loadtest.lean.figures import percentile
from loadtest.mix import Asked
from loadtest.orders import MARKETS

__all__ = ["METHODS", "OrderSockets", "Watchers"]

ORDER_SOCKETS: Final = 8
# Requests of the mix that the WebSocket API has too.
METHODS: Final = {
    ("POST", "/api/v3/order"): "order.place",
    ("DELETE", "/api/v3/order"): "order.cancel",
    ("GET", "/api/v3/order"): "order.status",
}


class OrderSockets:
    """Some sockets to the WebSocket API, in turn; each request is signed by itself."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/ws-api/v3"
        self._session: aiohttp.ClientSession | None = None
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        self._readers: list[asyncio.Task[None]] = []
        self._waiting: dict[int, OnAnswer] = {}
        self._asked = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(trust_env=False)
        for _ in range(ORDER_SOCKETS):
            socket = await self._session.ws_connect(self._url)
            self._sockets.append(socket)
            self._readers.append(asyncio.create_task(self._read(socket)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()
        assert self._session is not None, "entered"
        await self._session.close()

    async def ask(self, key: TradingKey, asked: Asked, on_answer: OnAnswer) -> None:
        """Send one request; its status and its body are what REST would have said."""
        parameters = dict(pair.split("=") for pair in asked.parameters.split("&"))
        parameters |= {"apiKey": key.api_key, "timestamp": str(time.time_ns() // 1_000_000)}
        payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
        parameters["signature"] = hmac.digest(key.secret_key, payload.encode(), "sha256").hex()
        self._asked = number = self._asked + 1
        self._waiting[number] = on_answer
        request = {"id": number, "method": METHODS[asked.method, asked.path], "params": parameters}
        try:
            await self._sockets[number % len(self._sockets)].send_bytes(orjson.dumps(request))
        except (aiohttp.ClientError, OSError) as error:
            self._waiting.pop(number)(0, repr(error).encode())

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            reply = orjson.loads(message.data)
            on_answer = self._waiting.pop(reply["id"], None)
            if on_answer is not None:
                on_answer(reply["status"], b"" if reply["status"] == 200 else orjson.dumps(reply["error"]))


class Watchers:
    """Clients of `<symbol>@depth@100ms`. `messages` and their delays in ms, from `E` until they were here."""

    def __init__(self, url: str, count: int) -> None:
        self._url, self._count = url, count
        self.messages = 0
        self.delays_ms: list[float] = []
        self.ended = 0
        self._tasks: list[asyncio.Task[None]] = []

    def reset(self) -> None:
        """Count from here."""
        self.messages, self.delays_ms = 0, []

    def figures(self) -> dict[str, float]:
        """Sockets, those that have ended, messages, and how old they were when they came."""
        delays_ms = sorted(self.delays_ms)
        return {
            "sockets": self._count,
            "ended": self.ended,
            "messages": self.messages,
            "p50_ms": percentile(delays_ms, 0.5),
            "p99_ms": percentile(delays_ms, 0.99),
        }

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while inside. Raises aiohttp.ClientError when a watcher is refused."""
        async with aiohttp.ClientSession(trust_env=False, connector=aiohttp.TCPConnector(limit=0)) as session:
            for number in range(self._count):
                symbol = MARKETS[number % len(MARKETS)].symbol.lower()
                socket = await session.ws_connect(f"{self._url}/ws/{symbol}@depth@100ms")
                self._tasks.append(asyncio.create_task(self._watch(socket)))
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()

    async def _watch(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self.messages += 1
            # One in eight is looked into: reading them all would cost more than the exchange's sending.
            if not self.messages % 8:
                event_ms = orjson.loads(message.data)["E"]
                self.delays_ms.append(time.time_ns() / 1_000_000 - event_ms)
        self.ended += 1
