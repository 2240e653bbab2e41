"""Bounds for what uvicorn leaves open: how long a peer may take to send and to read, and what it may queue.

uvicorn's protocols have no deadline for a request's head or body, no limit on a head's size (httptools has
none either), on pipelined requests or on empty WebSocket fragments; they answer pings of a peer that does
not read for as long as memory lasts, and a connection that is closed with unsent bytes stays open for ever.
"""

import asyncio
import time
from asyncio import BaseTransport
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final, cast

from prometheus_client import Counter
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from exchange.contracts.errors import ApiError, late_request, overloaded, request_too_large
from exchange.http.addresses import owner_of
from exchange.http.direct_answers import DirectAnswers
from exchange.http.fair_turns import FairTurns, call_in_next_round
from exchange.http.refusals import head_too_large, refusal, serve_overloaded, unreadable

__all__ = ["SOCKETS_CUT", "ConnectionLimits", "GuardedHttp", "GuardedWebSocket", "guarded_protocols"]

SOCKETS_CUT: Final = Counter(
    "exchange_sockets_cut_total", "Connections that the server ended for the peer's behaviour", ["reason"]
)
_POLICY: Final = 1008
_NOT_UTF_8: Final = 1007
_NO_HANDSHAKE: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True)
class ConnectionLimits:
    """Times in seconds, sizes in bytes."""

    # From the connection, or from a request's first byte, to the end of its head.
    head_s: float = 10.0
    # From there to the end of its body; the services' own answers come first (request_deadline_ms).
    body_s: float = 20.0
    # How long the peer may leave more than the transport's high-water mark (64 KiB) unread.
    http_stall_s: float = 30.0
    # A little less than the five seconds after which a stream client is cut.
    websocket_stall_s: float = 4.5
    # For what is still to be sent when the connection is closed.
    close_s: float = 5.0
    # As much as the gateway takes (infra/nginx: large_client_header_buffers).
    head_size_bytes_max: int = 65_536
    headers_max: int = 100
    pipelined_max: int = 1_000
    fragments_max: int = 1_000
    # Pings and pongs of a peer within a second; they are answered without the application.
    controls_per_s_max: int = 50
    # Of the connections, so many may be WebSockets: the others are for requests. None: three quarters.
    sockets_max: int | None = None
    # Above limit_concurrency, where requests get 503; here connections are dropped unheard.
    spare_connections: int = 256


class _Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class _RefusedError(Exception):
    """Raised within a callback of the parser, which then stops."""


class _Shared:
    """What the connections of a server share: how many are WebSockets, and whose request begins next."""

    def __init__(self, direct: DirectAnswers) -> None:
        self.sockets = 0
        self.direct = direct
        self.turns = FairTurns(call_in_next_round)


class GuardedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with bounds."""

    def __init__(self, *args: Any, limits: ConnectionLimits, shared: _Shared, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._shared = shared
        self._phase = _Phase.HEAD
        self._message = 0
        self._timed: tuple[int, _Phase] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._head_size_bytes = 0
        self._refusal: ApiError | None = None

    # -- arriving ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A peer has connected; it has `head_s` for its first request."""
        super().connection_made(transport)
        limit = self.limit_concurrency
        if limit is not None and len(self.connections) > limit + self._limits.spare_connections:
            self._cut("too many connections")
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._phase = _Phase.IDLE
        self._watch()
        self._stop_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: parse them, then look how far the request is."""
        message = self._message
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._phase is _Phase.HEAD and message == self._message:
            self._head_size_bytes += len(data)
            if self._head_size_bytes > self._limits.head_size_bytes_max:
                self._refuse(head_too_large(self.url, self._limits.head_size_bytes_max), "head too large")
                return
        self._watch()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._phase = _Phase.HEAD
        self._message += 1
        self._head_size_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is whole: refuse it here, before anything is started for it."""
        size_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size_bytes > self._limits.head_size_bytes_max:
            self._refusal = head_too_large(self.url, self._limits.head_size_bytes_max)
        elif len(self.headers) > self._limits.headers_max:
            self._refusal = request_too_large(431, self._limits.headers_max, "headers")
        elif len(self.pipeline) >= self._limits.pipelined_max:
            self._refusal = overloaded()
        if self._refusal is not None:
            raise _RefusedError
        self._phase = _Phase.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._phase = _Phase.IDLE
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped: for what it found, or for what a callback refused."""
        self._refuse(self._refusal or unreadable(), "refused by its head")

    def handle_websocket_upgrade(self) -> None:
        """From here on the other protocol has the connection."""
        limit = self.limit_concurrency
        if limit is not None and len(self.connections) >= limit:
            self._refuse(overloaded(), "too many connections")
            return
        sockets_max = self._limits.sockets_max
        if sockets_max is None and limit is not None:
            sockets_max = limit - limit // 4
        if sockets_max is not None and self._shared.sockets >= sockets_max:
            self._refuse(overloaded(), "too many sockets")
            return
        self._phase = _Phase.IDLE
        self._watch()
        super().handle_websocket_upgrade()

    def _watch(self) -> None:
        """Hold the timer to the phase: none while no request is arriving."""
        timed = None if self._phase is _Phase.IDLE else (self._message, self._phase)
        if timed == self._timed:
            return
        self._timed = timed
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if timed is not None:
            seconds = self._limits.head_s if self._phase is _Phase.HEAD else self._limits.body_s
            self._deadline = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self._refuse(late_request(), "head too late" if self._phase is _Phase.HEAD else "body too late")

    def _refuse(self, error: ApiError, reason: str) -> None:
        """Answer, unless an answer is under way, and close."""
        SOCKETS_CUT.labels(reason).inc()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(refusal(error, self.server_state.default_headers))
        self.transport.close()
        self._abort_later()

    # -- being served -----------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """A request's head is whole, and nothing before it waits: it begins when it is its address's turn."""
        client = self._shared.direct.clients.of(cast(Any, cycle.scope))
        owner = "" if client is None else owner_of(client[0])
        self._shared.turns.begin(owner, partial(self._start, cycle, app, client))

    def _start(
        self, cycle: RequestResponseCycle, app: ASGI3Application, client: tuple[str, int] | None
    ) -> None:
        # uvicorn has put another application in the place of ours when it serves too many.
        direct, is_served = self._shared.direct, app is self.app
        handler = direct.handler(cast(Any, cycle.scope)) if is_served else None
        if handler is None:
            super()._start_asgi_task(cycle, app if is_served else cast(Any, serve_overloaded))
            return
        task = self.loop.create_task(direct.serve(cycle, handler, client))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # -- leaving ----------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """An answer is written. Nothing more is read while pipelined requests wait."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
        if self.transport.is_closing():
            self._abort_later()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more has come for long."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        super().pause_writing()
        self._stop_stall()
        self._stall = self.loop.call_later(self._limits.http_stall_s, partial(self._cut, "does not read"))

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._stop_stall()
        super().resume_writing()

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _abort_later(self) -> None:
        """A closed connection still waits until all is sent: not for ever."""
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self._limits.close_s, self.transport.abort)

    def _cut(self, reason: str) -> None:
        SOCKETS_CUT.labels(reason).inc()
        self.transport.abort()


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with bounds."""

    def __init__(self, *args: Any, limits: ConnectionLimits, shared: _Shared, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._shared = shared
        self._stall: asyncio.TimerHandle | None = None
        self._controls_since_s, self._controls = 0.0, 0

    def connection_made(self, transport: BaseTransport) -> None:
        """The connection has changed over from HTTP."""
        self._shared.sockets += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._shared.sockets -= 1
        self._stop_stall()
        super().connection_lost(exc)

    def handle_ping(self) -> None:
        """Answered, until there are too many."""
        if self._controls_are_bounded():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Ours, or one that nobody asked for."""
        if self._controls_are_bounded():
            super().handle_pong(event)

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn does; it takes a refused handshake for an error of the application's, and logs it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Bytes have come. A head that is too long for a handshake would stay unanswered, and open."""
        super().data_received(data)
        if self.conn.handshake_exc is None or self.handshake_initiated or self.transport.is_closing():
            return
        SOCKETS_CUT.labels("head too large").inc()
        # The answer that the parser made, if it made one: uvicorn leaves it there.
        self.transport.write(b"".join(self.conn.data_to_send()) or _NO_HANDSHAKE)
        self.transport.close()

    def pause_writing(self) -> None:
        """The peer does not keep up: it is not listened to either, as its pings would be answered."""
        super().pause_writing()
        self._stop_stall()
        self.transport.pause_reading()
        self._stall = self.loop.call_later(self._limits.websocket_stall_s, self._cut)

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._stop_stall()
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        """A fragment. An empty one costs memory too, and its size counts as nothing."""
        if len(self.frames) >= self._limits.fragments_max:
            SOCKETS_CUT.labels("too many fragments").inc()
            self._fail(_POLICY, "too many fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A whole message. What is not UTF-8 is the peer's fault, and none for our log."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(_NOT_UTF_8, "")
                return
        super().send_receive_event_to_app()

    def send_keepalive_ping(self) -> None:
        """As uvicorn's, with text: Binance's carry the time, and some clients cannot send bytes back."""
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = b"%d" % (time.time_ns() // 1_000_000)
        self.ping_sent_at = self.loop.time()
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        """No pong: there is nobody to close in order with."""
        super().keepalive_timeout()
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application has left; what is unsent is not waited for without end."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(self.close_timeout + self._limits.close_s, self.transport.abort)

    def _controls_are_bounded(self) -> bool:
        """Count a control frame; end the connection of who sends too many."""
        now_s = self.loop.time()
        if now_s - self._controls_since_s >= 1.0:
            self._controls_since_s, self._controls = now_s, 0
        self._controls += 1
        if self._controls <= self._limits.controls_per_s_max:
            return True
        if not self.close_sent:
            SOCKETS_CUT.labels("too many pings").inc()
            self._fail(_POLICY, "too many pings")
        return False

    def _fail(self, code: int, reason: str) -> None:
        self.conn.send_close(code, reason)
        self.handle_parser_exception()

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _cut(self) -> None:
        SOCKETS_CUT.labels("does not read").inc()
        self.transport.abort()


def guarded_protocols(
    limits: ConnectionLimits, direct: DirectAnswers | None = None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What uvicorn.Config takes as `http` and `ws`. `direct`: what is answered without the application."""
    shared = _Shared(direct or DirectAnswers())
    http = cast(Any, partial(GuardedHttp, limits=limits, shared=shared))
    return http, cast(Any, partial(GuardedWebSocket, limits=limits, shared=shared))
