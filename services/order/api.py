"""The order service's application: /api/v3, /sapi and /ws-api/v3, and the operators' routes."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Mount, WebSocketRoute

from exchange.contracts.errors import not_supported
from exchange.http.operations import add_operations_routes
from services.order.component import OrderService

__all__ = ["create_app"]


def create_app(service: OrderService) -> FastAPI:
    """Make the application of a service. Everything that is no route answers `{"code", "msg"}` too."""
    app = FastAPI(title="Order service", docs_url=None, redoc_url=None, openapi_url=None)
    for prefix in ("/api/v3", "/sapi"):
        app.router.routes.append(Mount(prefix, app=service.rest))
    app.router.routes.append(WebSocketRoute("/ws-api/v3", service.websocket.serve))
    add_operations_routes(app, service.readiness)
    app.add_exception_handler(HTTPException, _no_route)
    return app


async def _no_route(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(not_supported().payload(), status_code=status)
