"""What every HTTP answer carries, and what every request's head must keep to, on every service.

uvicorn bounds neither the size of a request's head nor the time it takes to arrive.
"""

import asyncio
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedHttpProtocol", "WithPagePolicy", "answer_headers"]

HEAD_SIZE_BYTES_MAX: Final = 32_768
HEADERS_MAX: Final = 100
HEAD_DEADLINE_S: Final = 20.0

_TOO_LARGE: Final = "The request's head is too large."
_HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")
_CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


def answer_headers(*, hsts: bool) -> list[tuple[str, str]]:
    """Headers that the server puts on every answer, its own errors included."""
    always = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
    return [*always, _HSTS] if hsts else always


class WithPagePolicy:
    """ASGI wrapper: no answer may load anything or be framed, unless the app says otherwise itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. WebSockets pass through untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Content-Security-Policy", _CONTENT_POLICY)
            await send(message)

        await self._app(scope, receive, send_with_policy)


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits on a request's head: its bytes, its headers, its time.

    A head that comes in one piece, as nearly all do, costs one look at its size and no timer.
    """

    _head_is_open = False
    _head_size_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection: its first head must come soon."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of a connection."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of a body."""
        super().data_received(data)
        if not self._head_is_open or self.transport.is_closing():
            return
        # The parser keeps an unfinished header to itself, however long: count what came.
        self._head_size_bytes += len(data)
        if self._head_size_bytes > HEAD_SIZE_BYTES_MAX:
            self.send_400_response(_TOO_LARGE)
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self.transport.abort)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_is_open = True

    def on_headers_complete(self) -> None:
        """The end of the head. Raises ValueError, which the parser turns into an answer of 400."""
        self._head_came()
        size_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size_bytes > HEAD_SIZE_BYTES_MAX or len(self.headers) > HEADERS_MAX:
            raise ValueError(_TOO_LARGE)
        super().on_headers_complete()

    def _head_came(self) -> None:
        self._head_is_open = False
        self._head_size_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
