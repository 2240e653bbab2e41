"""The web terminal of `make run`: the files of web/ as the gateway serves them (infra/nginx) elsewhere."""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.carried import carried_folder

__all__ = ["WEB_ROOT", "terminal_app"]

WEB_ROOT: Final = carried_folder("web", "web")
# The gateway and CloudFront (modules/frontend) say the same; tests/unit/test_terminal.py holds them equal.
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    # Kept, and asked for by its ETag each time: a page never mixes the files of two versions.
    "Cache-Control": "no-cache",
}
_PACKED_SIZE_BYTES_MIN: Final = 1_000


def terminal_app(root: Path = WEB_ROOT) -> ASGIApp:
    """Serves `/terminal/...` from `root`. HEAD and GET only; 404 and 405 are plain text."""
    # Not left to what the machine's own table says: with nosniff a wrong type is a module that does not run.
    mimetypes.add_type("text/javascript", ".js")

    async def page(_: Request) -> Response:
        return FileResponse(root / "terminal" / "index.html")

    app = Starlette(
        routes=[Route("/terminal/", page), Mount("/terminal", StaticFiles(directory=root / "terminal"))],
        middleware=[Middleware(GZipMiddleware, minimum_size=_PACKED_SIZE_BYTES_MIN)],
    )
    return _WithHeaders(app)


class _WithHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
