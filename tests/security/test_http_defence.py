"""What every answer carries, on a real socket (the bounds of requests: test_connection_guard.py)."""

import asyncio

import httpx
import pytest

from exchange.http.operations import operations_app
from exchange.http.server import HttpServer, bind
from local.servers import free_port
from tests.security.conftest import Exchange

pytestmark = pytest.mark.integration

PUBLIC = ["/api/v3/time", "/api/v3/depth?symbol=BTCUSDT", "/healthz", "/readyz", "/metrics", "/nothing", "/"]
PRIVATE = ["/api/v3/account", "/api/v3/openOrders", "/v1/me", "/v1/nothing", "/v1/openapi.json"]


def assert_defended(answer: httpx.Response) -> None:
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "server" not in answer.headers


async def test_every_answer_of_every_service_is_defended(exchange: Exchange) -> None:
    for path in PUBLIC + PRIVATE:
        assert_defended(await exchange.client.get(path))
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        for path in ("/v1/users", "/api/v3/order", "/api/v3/time", "/healthz"):
            assert_defended(await exchange.client.request(method, path, content=b"{"))


async def test_private_answers_are_stored_nowhere(exchange: Exchange) -> None:
    trader = await exchange.trader("alice")
    answers = [await exchange.client.get(path, headers=trader.headers) for path in PRIVATE]
    answers += [await trader.signed("GET", path) for path in ("/account", "/openOrders", "/allOrders")]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_without_tls_nobody_is_told_to_use_it() -> None:
    port = free_port()
    server = HttpServer(operations_app([]), bind("127.0.0.1", port))
    serving = asyncio.create_task(server.run())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        while True:
            try:
                answer = await client.get("/healthz")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


async def talk(exchange: Exchange, *parts: bytes, wait_s: float = 5.0) -> bytes:
    """Send the parts one by one and return what comes back until the server closes."""
    port = exchange.resources.settings.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
        async with asyncio.timeout(wait_s):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_head_in_pieces_is_taken(exchange: Exchange) -> None:
    whole = b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await talk(exchange, *(whole[n : n + 1] for n in range(len(whole))))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_request_as_large_as_may_be_is_taken_on_a_connection_that_was_used(
    exchange: Exchange,
) -> None:
    padding = {f"X-Padding-{n}": "a" * 1_000 for n in range(20)}
    for _ in range(3):
        answer = await exchange.client.post("/v1/users", headers=padding, json={"email": "a" * 10_000})
        assert answer.status_code == 422
