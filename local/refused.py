"""A line in the log of `make run` for each request that was refused: what a bot's author looks for first."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.http.direct_answers import Answer, DirectHandler

__all__ = ["LINES_PER_S_MAX", "RefusedRequests"]

logger = logging.getLogger(__name__)
# More would be a loop that nobody reads, and costs what answers are waiting for.
LINES_PER_S_MAX: Final = 20
_REFUSED_FROM: Final = 400
_TEXT_LENGTH_MAX: Final = 300
_PATH_LENGTH_MAX: Final = 100
_KEY_SHOWN: Final = 6
_WS_API: Final = "/ws-api/"
# Where an answer of the WebSocket API says that it is one to a refused request.
_WS_ERROR: Final = '"error":{"code":'
_WS_HEAD: Final = 200


class RefusedRequests:
    """Looks at answers on their way out. `clock_s`: a monotonic clock, in seconds."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._second = -1
        self._lines = 0
        self._left_out = 0

    def seen(self, app: ASGIApp) -> ASGIApp:
        """The application, whose refusals are told."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await app(scope, receive, self._of_request(scope, send))
            elif scope["type"] == "websocket" and scope["path"].startswith(_WS_API):
                await app(scope, receive, self._of_socket(scope, send))
            else:
                await app(scope, receive, send)

        return call

    def seen_directly(self, handlers: Mapping[str, DirectHandler]) -> dict[str, DirectHandler]:
        """The same for what is answered without an application."""
        return {path: self._of_handler(handler) for path, handler in handlers.items()}

    def _of_handler(self, handler: DirectHandler) -> DirectHandler:
        async def handle(scope: Scope, receive: Receive, body: bytes | None) -> Answer | None:
            answer = await handler(scope, receive, body)
            if answer is not None and answer.status >= _REFUSED_FROM:
                self._tell(scope, answer.status, answer.body)
            return answer

        return handle

    def _of_request(self, scope: Scope, send: Send) -> Send:
        status = 0

        async def send_seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status >= _REFUSED_FROM:
                self._tell(scope, status, message.get("body", b""))
                status = 0  # Once, however many parts the body has.
            await send(message)

        return send_seen

    def _of_socket(self, scope: Scope, send: Send) -> Send:
        async def send_seen(message: Message) -> None:
            text = message.get("text")
            if text and _WS_ERROR in text[:_WS_HEAD]:
                self._tell(scope, 0, text.encode())
            await send(message)

        return send_seen

    def _tell(self, scope: Scope, status: int, body: bytes) -> None:
        second = int(self._clock_s())
        if second != self._second:
            if self._left_out:
                logger.info("%d more were refused, and are left out", self._left_out)
            self._second, self._lines, self._left_out = second, 0, 0
        if self._lines >= LINES_PER_S_MAX:
            self._left_out += 1
            return
        self._lines += 1
        logger.info("%s", _line(scope, status, body))


def _line(scope: Mapping[str, Any], status: int, body: bytes) -> str:
    """One line, whatever the request had in its path or the answer in its text."""
    client = scope.get("client") or ("-",)
    key = next((value for name, value in scope.get("headers", ()) if name == b"x-mbx-apikey"), b"")
    whose = f" key {key[:_KEY_SHOWN].decode('latin-1')}..." if key else ""
    text = body[:_TEXT_LENGTH_MAX].decode("utf-8", "replace")
    what = f"{scope.get('method', 'WebSocket')} {scope['path'][:_PATH_LENGTH_MAX]}"
    line = f"refused: {what} of {client[0]}{whose}: {f'{status} ' if status else ''}{text}"
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in line)
