"""A WebSocket client inside the process: speaks ASGI with the application, without a server."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.order.doors.ws_requests import sign_payload
from tests.unit.order.order_exchange import KEYS, OrderExchange, sign

WAIT_S = 60.0


class WsClient:
    """One socket. `close_code` is set when the server has closed it."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.frames: asyncio.Queue[str] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._next_id = 0

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        if message["type"] == "websocket.send":
            self.frames.put_nowait(message["text"])
        elif message["type"] == "websocket.close":
            self.closed.set_result(message["code"])

    def say(self, text: str) -> None:
        """Send a text frame."""
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def hear(self) -> Any:
        """The next frame."""
        return json.loads(await asyncio.wait_for(self.frames.get(), WAIT_S))

    def start(self, method: str, **params: object) -> int:
        """Send a request; return its id."""
        self._next_id += 1
        self.say(json.dumps({"id": self._next_id, "method": method, "params": params}))
        return self._next_id

    async def ask(self, method: str, **params: object) -> Any:
        """Send a request and return the next frame, which must be its reply."""
        request_id = self.start(method, **params)
        reply = await self.hear()
        assert reply["id"] == request_id
        return reply

    async def ask_signed(self, method: str, user_id: int, /, **params: object) -> Any:
        """The same, signed with the user's HMAC key."""
        return await self.ask(method, **signed(user_id, params))


def signed(user_id: int, params: dict[str, object]) -> dict[str, object]:
    """The parameters with key, timestamp and signature."""
    params = {"timestamp": time.time_ns() // 1_000_000, **params, "apiKey": KEYS[user_id]}
    return {**params, "signature": sign(sign_payload(_as_texts(params)), user_id)}


def signed_ed25519(api_key: str, key: Ed25519PrivateKey) -> dict[str, object]:
    """Parameters of a log-on."""
    import base64

    params: dict[str, object] = {"apiKey": api_key, "timestamp": time.time_ns() // 1_000_000}
    signature = base64.b64encode(key.sign(sign_payload(_as_texts(params)))).decode()
    return {**params, "signature": signature}


def _as_texts(params: dict[str, object]) -> dict[str, str]:
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in params.items()}


@contextlib.asynccontextmanager
async def connected(exchange: OrderExchange, query: str = "") -> AsyncIterator[WsClient]:
    """An open socket."""
    client = WsClient()
    scope = {
        "type": "websocket",
        "path": "/ws-api/v3",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [],
        "client": ("203.0.113.7", 4711),
        "subprotocols": [],
    }
    client.incoming.put_nowait({"type": "websocket.connect"})
    app: Any = exchange.app
    serving = asyncio.create_task(app(scope, client.receive, client.send))
    try:
        yield client
    finally:
        client.reads.set()
        client.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(serving, WAIT_S)
