"""Orders by the WebSocket API beside those by REST."""

import asyncio
import hmac
import time
from typing import Final, Self

import aiohttp
import orjson

from loadtest.accounts import TradingKey
from loadtest.lean.connections import OnAnswer
from loadtest.mix import Asked

__all__ = ["METHODS", "OrderSockets"]

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
