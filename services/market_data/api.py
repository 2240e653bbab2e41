"""The market-data service's application: public REST, streams, and the operators' routes."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.contracts.errors import not_supported
from exchange.http.bodies import send_whole
from exchange.http.operations import add_operations_routes
from services.market_data.component import MarketDataService
from services.market_data.front.page import FRONT_PATH, FrontPage
from services.market_data.rest.app import REST_PREFIXES, RestApi
from services.market_data.streams.sockets import StreamSockets

__all__ = ["create_app"]

# What a person types; the terminal's files are below `/terminal/`, and no service's.
_TERMINAL_WITHOUT_SLASH: Final = "/terminal"
_TO_TERMINAL: Final = ((b"location", b"/terminal/"), (b"cache-control", b"no-cache"))


def create_app(service: MarketDataService) -> FastAPI:
    """Make the application of a service. Everything that is no route answers `{"code", "msg"}` too."""
    app = FastAPI(title="Market-data service", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_PublicPaths, front=service.front, rest=service.rest, sockets=service.sockets)
    add_operations_routes(app, service.readiness)
    app.add_exception_handler(HTTPException, _no_route)
    return app


class _PublicPaths:
    """Takes the public paths before any routing: cheap, and `send` is still the server's own."""

    def __init__(self, app: ASGIApp, front: FrontPage, rest: RestApi, sockets: StreamSockets) -> None:
        self._app = app
        self._front = front
        self._rest = rest
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(REST_PREFIXES):
            await self._rest(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == FRONT_PATH:
            await self._front(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == _TERMINAL_WITHOUT_SLASH:
            await send_whole(send, 308, b"", _TO_TERMINAL)
        elif scope["type"] == "websocket":
            if _is_stream_path(scope["path"]):
                await self._sockets(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "no such stream path"})
        else:
            await self._app(scope, receive, send)


def _is_stream_path(path: str) -> bool:
    return path in ("/ws", "/stream") or path.startswith(("/ws/", "/stream/"))


async def _no_route(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(not_supported().payload(), status_code=status)
