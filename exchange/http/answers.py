"""What every HTTP answer carries, on every service."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["POLICY_HEADER", "WithPagePolicy", "answer_headers"]

_HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")
_CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
# The same as a header on the wire.
POLICY_HEADER: Final = (b"content-security-policy", _CONTENT_POLICY.encode())


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
