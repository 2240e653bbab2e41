"""The user service's autoscaler sees clients' requests, and nothing that its own probes do."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.user.doors.request_meter import RequestMeter


def count(status: str) -> float:
    return REGISTRY.get_sample_value("exchange_user_request_seconds_count", {"status": status}) or 0.0


def answering(status: int) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return PlainTextResponse("", status_code=status)

    return answer


@pytest.mark.parametrize(
    ("path", "status", "counted"),
    [("/v1/me", "2xx", 1), ("/v1/refused", "4xx", 1), ("/readyz", "2xx", 0), ("/metrics", "2xx", 0)],
)
async def test_only_clients_requests_are_counted(path: str, status: str, counted: int) -> None:
    app = Starlette(
        routes=[
            Route("/v1/me", answering(200)),
            Route("/v1/refused", answering(401)),
            Route("/readyz", answering(200)),
            Route("/metrics", answering(200)),
        ]
    )
    before = count(status)
    transport = httpx.ASGITransport(RequestMeter(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://user") as client:
        await client.get(path)
    assert count(status) - before == counted
