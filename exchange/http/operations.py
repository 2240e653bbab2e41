"""The routes that operators and probes use, the same on every service: /healthz, /readyz, /metrics."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exchange.process.components import Component

__all__ = ["Readiness", "add_exchange_readiness_route", "add_operations_routes", "operations_app"]

_tasks = Gauge("exchange_tasks", "Tasks of this process's event loop")

Readiness = Callable[[], Mapping[str, str | None]]


def operations_app(components: Sequence[Component]) -> Starlette:
    """/healthz, /readyz and /metrics of a process that serves nothing else.

    Of Starlette alone: FastAPI, which stands on it, costs a process a third of its start.
    """
    app = Starlette()

    def readiness() -> Mapping[str, str | None]:
        return {part: problem for c in components for part, problem in c.readiness().items()}

    add_operations_routes(app, readiness)
    return app


def add_operations_routes(
    app: Starlette, readiness: Readiness, more_metrics: Callable[[], str] | None = None
) -> None:
    """Add the three routes. `readiness()` maps each part to None (works) or to what is wrong.

    `more_metrics()`: text of those that another process counts for this one.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        return _readiness_response(readiness())

    async def metrics(_: Request) -> Response:
        _tasks.set(len(asyncio.all_tasks()))
        more = "" if more_metrics is None else more_metrics()
        return Response(generate_latest(REGISTRY) + more.encode(), media_type=CONTENT_TYPE_LATEST)

    app.router.routes += [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def add_exchange_readiness_route(app: Starlette, readiness: Readiness) -> None:
    """Add /readyz/exchange, which the gateway shows as its own /readyz."""

    async def readyz_exchange(_: Request) -> Response:
        return _readiness_response(readiness())

    app.router.routes.append(Route("/readyz/exchange", readyz_exchange))


def _readiness_response(parts: Mapping[str, str | None]) -> Response:
    ready = all(problem is None for problem in parts.values())
    body = {"ready": ready, "parts": {name: problem or "ok" for name, problem in parts.items()}}
    return JSONResponse(body, status_code=200 if ready else 503)
