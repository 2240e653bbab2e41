"""Requests of /v1 weigh something, and an address that has no weight left is refused there, too."""

from typing import Any

import pytest

from exchange.http.request_limits import WEIGHT, RequestLimits
from services.user.doors.address_meter import WEIGHT_OF_REQUEST, AddressMeter

HERE = "203.0.113.7"
NOW_MS = 60_000 * 29_000_000


class Site:
    """What is behind the meter, and what it answers."""

    def __init__(self) -> None:
        self.served = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.served += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(meter: AddressMeter, path: str) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": (HERE, 4711)}
    await meter(scope, None, send)  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"])


async def test_an_address_without_weight_is_refused_and_then_banned() -> None:
    limits, site = RequestLimits(lambda: NOW_MS, is_enforced=True), Site()
    meter = AddressMeter(site, limits=limits)
    for _ in range(WEIGHT.most // WEIGHT_OF_REQUEST):
        assert (await ask(meter, "/v1/me"))[0] == 200
    status, headers = await ask(meter, "/v1/me")
    assert (status, headers[b"retry-after"]) == (429, b"60")
    assert headers[b"content-type"] == b"application/problem+json"
    assert site.served == WEIGHT.most // WEIGHT_OF_REQUEST
    statuses = [(await ask(meter, "/v1/me"))[0] for _ in range(WEIGHT.most)]
    assert statuses[-1] == 418
    assert site.served == WEIGHT.most // WEIGHT_OF_REQUEST


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/metrics", "/readyz/exchange"])
async def test_probes_are_never_refused(path: str) -> None:
    limits, site = RequestLimits(lambda: NOW_MS, is_enforced=True), Site()
    limits.add_weight(HERE, 2 * WEIGHT.most)
    assert (await ask(AddressMeter(site, limits=limits), path))[0] == 200
