"""Bounds for uvicorn's WebSockets: pings, fragments, heads that are too long, and peers that do not read."""

import asyncio
from asyncio import BaseTransport
from typing import Any, Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from exchange.http.connection_limits import SOCKETS_CUT, ConnectionLimits, Shared
from exchange.wall_clock import clock_ms

__all__ = ["GuardedWebSocket"]

_POLICY: Final = 1008
_NOT_UTF_8: Final = 1007
_NO_HANDSHAKE: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with bounds."""

    def __init__(self, *args: Any, limits: ConnectionLimits, shared: Shared, **more: Any) -> None:
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
        self.pending_ping_payload = b"%d" % clock_ms()
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
