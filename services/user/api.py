"""The user service's HTTP app. Every failure leaves it as `application/problem+json`."""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI

from exchange.http.operations import add_operations_routes
from services.user.component import UserService
from services.user.doors.address_meter import AddressMeter
from services.user.doors.examples import with_examples
from services.user.doors.failures import add_problem_handlers
from services.user.doors.problems import Problem
from services.user.doors.request_guard import RequestGuard
from services.user.doors.request_meter import RequestMeter
from services.user.doors.routes import (
    accounts,
    addresses,
    freezes,
    money,
    notices,
    papers,
    security,
    sessions,
)

__all__ = ["create_app"]


class _Documented(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The document of the routes, with examples; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = with_examples(super().openapi())
        return self.openapi_schema


@cache
def _routes() -> APIRouter:
    """All routes. FastAPI reads their handlers at the first request, which takes 60 to 90 ms of a processor,
    once for each router that includes them: apps of one process share this one."""
    router = APIRouter(
        responses={
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
            }
        }
    )
    for module in (accounts, addresses, freezes, money, notices, papers, security, sessions):
        router.include_router(module.router)
    return router


def create_app(service: UserService) -> FastAPI:
    """The app over `service`, which may be started later: until then it answers 503."""
    app = _Documented(
        title="Exchange: accounts",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.user_service = service
    app.router.routes += _routes().routes
    add_operations_routes(app, service.readiness)
    add_problem_handlers(app)
    app.add_middleware(
        RequestGuard,
        body_size_bytes_max=service.settings.body_size_bytes_max,
        receive_deadline_ms=service.settings.request_deadline_ms,
    )
    app.add_middleware(AddressMeter, limits=service.limits)
    app.add_middleware(RequestMeter)
    return app
