"""Bounds for what uvicorn leaves open: how long a peer may take to send and to read, and what it may queue.

uvicorn's protocols have no deadline for a request's head or body, no limit on a head's size (httptools has
none either), on pipelined requests or on empty WebSocket fragments; they answer pings of a peer that does
not read for as long as memory lasts, and a connection that is closed with unsent bytes stays open for ever.
WebSockets: `exchange/http/socket_guard.py`.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from exchange.contracts.errors import ApiError, late_request, overloaded, request_too_large
from exchange.http.addresses import owner_of
from exchange.http.connection_limits import SOCKETS_CUT, ConnectionLimits, Shared
from exchange.http.direct_answers import DirectAnswers
from exchange.http.refusals import head_too_large, refusal, serve_overloaded, unreadable
from exchange.http.socket_guard import GuardedWebSocket
from exchange.process.loop.deadlines import IdleTimer

__all__ = ["SOCKETS_CUT", "ConnectionLimits", "GuardedHttp", "GuardedWebSocket", "guarded_protocols"]


class _Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class _RefusedError(Exception):
    """Raised within a callback of the parser, which then stops."""


class GuardedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with bounds."""

    def __init__(self, *args: Any, limits: ConnectionLimits, shared: Shared, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._shared = shared
        self._phase = _Phase.HEAD
        self._message = 0
        self._timed: tuple[int, _Phase] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        # The arriving head is at least as large as the bytes that came for it alone, and at most as large as
        # these and the rest of the read in which it began.
        self._head_size_bytes = self._head_size_bytes_most = 0
        self._read_size_bytes = 0
        self._idle = IdleTimer(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)
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
        self._idle.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: parse them, then look how far the request is."""
        message = self._message
        self._read_size_bytes = len(data)
        self._head_size_bytes_most += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._phase is _Phase.HEAD and message == self._message:
            self._head_size_bytes += len(data)
            if self._head_size_bytes > self._limits.head_size_bytes_max:
                self._refuse(head_too_large(self.url, self._limits.head_size_bytes_max), "head too large")
                return
        if self._phase is not _Phase.IDLE or self._timed is not None:
            self._watch()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._phase = _Phase.HEAD
        self._message += 1
        self._head_size_bytes, self._head_size_bytes_most = 0, self._read_size_bytes
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is whole: refuse it here, before anything is started for it."""
        if self._is_head_too_large():
            self._refusal = head_too_large(self.url, self._limits.head_size_bytes_max)
        elif len(self.headers) > self._limits.headers_max:
            self._refusal = request_too_large(431, self._limits.headers_max, "headers")
        elif len(self.pipeline) >= self._limits.pipelined_max:
            self._refusal = overloaded()
        if self._refusal is not None:
            raise _RefusedError
        self._phase = _Phase.BODY
        super().on_headers_complete()

    def _is_head_too_large(self) -> bool:
        # Counted where it may be: next to every head comes within one small read.
        if self._head_size_bytes_most <= self._limits.head_size_bytes_max:
            return False
        size_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size_bytes > self._limits.head_size_bytes_max

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
        self._idle.close()
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
        """An answer is written. Nothing more is read while pipelined requests wait.

        As uvicorn's, which makes a timer for what may be the last request, and cancels it when another comes.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._abort_later()
            return
        if not self.pipeline:
            self.flow.resume_reading()
            self._idle.rest()
            return
        self._idle.work()
        cycle, app = self.pipeline.pop()
        self._start_asgi_task(cycle, app)
        if self.pipeline:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _unset_keepalive_if_required(self) -> None:
        self._idle.work()

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


def guarded_protocols(
    limits: ConnectionLimits, direct: DirectAnswers | None = None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What uvicorn.Config takes as `http` and `ws`. `direct`: what is answered without the application."""
    shared = Shared(direct or DirectAnswers())
    http = cast(Any, partial(GuardedHttp, limits=limits, shared=shared))
    return http, cast(Any, partial(GuardedWebSocket, limits=limits, shared=shared))
