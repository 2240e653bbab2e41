"""How many requests the user service answers and how long they take: what its autoscaler goes by."""

import time
from typing import Final

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RequestMeter"]

_duration: Final = Histogram(
    "exchange_user_request_seconds",
    "Time from the request's head to its answer",
    ["status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
# Asked by probes and by Prometheus: no load.
_OPERATIONS: Final = frozenset({"/healthz", "/readyz", "/readyz/exchange", "/metrics"})


class RequestMeter:
    """ASGI middleware: times every request of a client, by the first digit of its status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _OPERATIONS:
            await self._app(scope, receive, send)
            return
        started_s = time.monotonic()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _duration.labels(f"{message['status'] // 100}xx").observe(time.monotonic() - started_s)
            await send(message)

        await self._app(scope, receive, send_timed)
