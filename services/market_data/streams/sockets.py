"""Stream connections: /ws, /ws/<names>, /stream, /stream?streams=<names> (binance-spot-api, section 4).

Pings are the server's business (uvicorn: ws_ping_interval 20 s, ws_ping_timeout 60 s). Every queue and
wait is bounded: a client that does not read for five seconds, or lets its queue fill, is cut.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs

from exchange.contracts import limits
from exchange.contracts.errors import ApiError, unavailable
from exchange.http.socket_limits import SocketLimits, refuse_handshake
from services.market_data.streams.control import ControlError, parse_request, result_message
from services.market_data.streams.hub import STREAMS_PER_CLIENT_MAX, Client, Hub
from services.market_data.streams.names import NAME_LENGTH_MAX, is_listen_key
from services.market_data.streams.outlet import Message, Outlet, Send, open_outlet
from services.market_data.streams.user_feed import Joined, UserFeed

__all__ = ["CONNECTIONS_MAX", "StreamSockets"]

logger = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[Message]]
CONNECTION_LIFETIME_S: Final = 24 * 3600.0
INCOMING_SIZE_BYTES_MAX: Final = limits.STREAM_MESSAGE_SIZE_BYTES_MAX
CONNECTIONS_MAX: Final = limits.STREAM_SOCKETS_MAX
PARAMETERS_MAX: Final = 20
_INCOMING_PER_SECOND: Final = 5
_INCOMING_PER_SECOND_GENEROUS: Final = 200
_CLOSE_DEADLINE_S: Final = 1.0
_NORMAL, _POLICY, _TOO_BIG = 1000, 1008, 1009


# Codes and texts of binance-spot-api section 3.
_REFUSALS: Final = {
    Joined.DEAD_KEY: (-1125, "This listenKey does not exist."),
    Joined.UNKNOWN: (-1001, unavailable().message),
}


class _CloseError(Exception):
    """The connection is to be closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StreamSockets:
    """An ASGI application for WebSocket scopes of the stream paths."""

    def __init__(self, hub: Hub, user_feed: UserFeed, limits: SocketLimits, *, rate_limits: bool) -> None:
        self._hub = hub
        self._user_feed = user_feed
        self._limits = limits
        self._per_second = _INCOMING_PER_SECOND if rate_limits else _INCOMING_PER_SECOND_GENEROUS

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection from handshake to end."""
        await receive()
        peer = scope.get("client")
        try:
            with self._limits.place(peer[0] if peer else ""):
                await self._serve(scope, receive, send)
        except ApiError as error:
            await refuse_handshake(scope, send, error)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            names, client = _open(scope)
        except ValueError:
            await send({"type": "websocket.close", "code": _POLICY, "reason": "Too many parameters"})
            return
        await send({"type": "websocket.accept"})
        outlet = open_outlet(send)
        client.write_now = outlet.write_now
        self._hub.connect(client)
        try:
            await self._converse(client, names, receive, send, outlet)
        finally:
            keys = [name for name in client.names if is_listen_key(name)]
            self._hub.disconnect(client)
            for key in keys:
                self._user_feed.left(key)

    async def _converse(
        self, client: Client, names: list[str], receive: Receive, send: Send, outlet: Outlet
    ) -> None:
        """Read and write side by side until either ends; then close, or abort who does not read."""
        reader = asyncio.create_task(self._read(client, names, receive))
        writer = asyncio.create_task(_write(client, outlet))
        tasks = (reader, writer, asyncio.create_task(client.wait_ended()))
        try:
            await asyncio.wait(tasks, timeout=CONNECTION_LIFETIME_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if client.cut_reason is not None:
            logger.info("a stream client was cut: %s", client.cut_reason)
            outlet.abort()
            return
        code, reason = _NORMAL, ""
        for task in (reader, writer):
            if not task.done() or task.cancelled():
                continue
            error = task.exception()
            if isinstance(error, _CloseError):
                code, reason = error.code, error.reason
            elif isinstance(error, OSError) or (error is None and task is reader):
                return  # The peer is gone.
            elif error is not None:
                logger.error("a stream connection failed", exc_info=error)
                code, reason = 1011, "internal error"
        await _close(send, code, reason)

    async def _read(self, client: Client, names: list[str], receive: Receive) -> None:
        """Obey control messages until the peer leaves. Raises _CloseError."""
        await self._subscribe(client, names)
        window_s = 0
        count = 0
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                text = bytes(message.get("bytes") or b"").decode("utf-8", "replace")
            if len(text) > INCOMING_SIZE_BYTES_MAX:
                raise _CloseError(_TOO_BIG, "Payload too long")
            second = int(time.monotonic())
            if second != window_s:
                window_s, count = second, 0
            count += 1
            if count > self._per_second:
                raise _CloseError(_POLICY, "Too many requests")
            self._hub.send(client, await self._answer(client, text))

    async def _answer(self, client: Client, text: str) -> bytes:
        """Obey one control message and return the answer."""
        try:
            request = parse_request(text)
        except ControlError as error:
            return error.message
        result: object = None
        if request.method == "SUBSCRIBE":
            refusal = await self._subscribe(client, list(request.names))
            if refusal is not None:
                return ControlError(*refusal, request.request_id, with_id=True).message
        elif request.method == "UNSUBSCRIBE":
            self._hub.unsubscribe(client, request.names)
            for name in request.names:
                if is_listen_key(name):
                    self._user_feed.left(name)
        elif request.method == "LIST_SUBSCRIPTIONS":
            result = list(client.names)
        elif request.method == "SET_PROPERTY":
            client.combined = request.combined
        else:
            result = client.combined
        return result_message(request.request_id, result)

    async def _subscribe(self, client: Client, names: list[str]) -> tuple[int, str] | None:
        """Code and text of why a listen key's events are not sent; the other streams are, all the same."""
        if len({*client.names, *names}) + client.forgotten > STREAMS_PER_CLIENT_MAX:
            raise _CloseError(_POLICY, f"More than {STREAMS_PER_CLIENT_MAX} streams")
        refusal = None
        for key in names:
            if is_listen_key(key) and key not in client.names:
                refusal = _REFUSALS.get(await self._user_feed.join(client, key), refusal)
        self._hub.subscribe(client, [name for name in names if not is_listen_key(name)])
        return refusal


def _open(scope: Message) -> tuple[list[str], Client]:
    """Stream names and form of the messages, as path and query ask for them. Raises ValueError."""
    # A plus stands for itself, as in btcusdt@kline_1d@+08:00; no name has a space.
    raw = scope.get("query_string", b"").decode("latin-1").replace("+", "%2B")
    query = parse_qs(raw, max_num_fields=PARAMETERS_MAX)
    path: str = scope["path"]
    combined = path.startswith("/stream")
    text = "/".join(query.get("streams", ())) if combined else path.removeprefix("/ws")
    names = [name for name in text.split("/") if 0 < len(name) <= NAME_LENGTH_MAX]
    microseconds = query.get("timeUnit", [""])[0].upper() == "MICROSECOND"
    return names, Client(combined=combined, microseconds=microseconds)


async def _write(client: Client, outlet: Outlet) -> None:
    while True:
        frames = await client.next_frames()
        client.sending_since_s = time.monotonic()
        await outlet.write(frames)
        client.sending_since_s = None


async def _close(send: Send, code: int, reason: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_DEADLINE_S):
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except (OSError, RuntimeError, TimeoutError):
        return
