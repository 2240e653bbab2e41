"""The order service's application: /api/v3, /sapi and /ws-api/v3, and the operators' routes."""

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route, WebSocketRoute

from exchange.contracts.errors import not_supported
from exchange.http.operations import add_operations_routes
from services.order.component import OrderService
from services.order.doors.documents import OPENAPI_PATH, openapi
from services.order.doors.rest import PREFIX

__all__ = ["create_app"]


def create_app(service: OrderService) -> FastAPI:
    """Make the application of a service. Everything that is no route answers `{"code", "msg"}` too."""
    app = FastAPI(title="Order service", docs_url=None, redoc_url=None, openapi_url=None)
    described = orjson.dumps(openapi(service.routes, PREFIX))

    async def own_document(request: Request) -> Response:
        return Response(described, media_type="application/json")

    app.router.routes.append(Route(OPENAPI_PATH, own_document))
    for prefix in ("/api/v3", "/sapi"):
        app.router.routes.append(Mount(prefix, app=service.rest))
    app.router.routes.append(WebSocketRoute("/ws-api/v3", service.websocket.serve))
    add_operations_routes(app, service.readiness)
    app.add_exception_handler(HTTPException, _no_route)
    return app


async def _no_route(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(not_supported().payload(), status_code=status)
