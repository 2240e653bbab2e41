"""The short way of an answer writes what the long way through the application writes, byte for byte."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest

from exchange.http.direct_answers import Answer, ClientAddresses
from exchange.http.server import HttpServer, bind
from tests.unit.order.order_exchange import (
    ALICE,
    KEYS,
    READER,
    OrderExchange,
    hmac_key,
    limit_order,
    running_exchange,
    signed,
)

DEADLINE_S = 60.0
# What may differ from one answer to the next one of the same request.
CHANGING = re.compile(rb"(?m)^(date|x-mbx-used-weight|x-mbx-used-weight-1m|x-mbx-order-count-\w+): .*\r$")
NUMBERS = re.compile(rb'("orderId":|"\w*[tT]ime":)\d+')


def request(
    method: str, path: str, *heads: str, body: str = "", user_id: int = ALICE, version: str = "1.1"
) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", f"X-MBX-APIKEY: {KEYS[user_id]}", *heads]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextlib.asynccontextmanager
async def both_ways(exchange: OrderExchange) -> AsyncIterator[list[int]]:
    """The ports of the long way and of the short one, of the same service."""
    servers, ports = [], []
    for direct in (None, exchange.service.rest.direct()):
        listener = bind("127.0.0.1", 0)
        ports.append(listener.getsockname()[1])
        servers.append(HttpServer(exchange.app, listener, "127.0.0.9", hsts=True, direct=direct))
    running = [asyncio.create_task(server.run()) for server in servers]
    await asyncio.sleep(0)
    try:
        yield ports
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for server in servers:
            await server.stop()


async def answered(port: int, sent: bytes, peer: str = "127.0.0.1") -> bytes:
    """All that comes until the server closes, or nothing more comes for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(peer, 0))
    writer.write(sent)
    # The last request of each script asks the server to close.
    writer.write(request("GET", "/nowhere", "Connection: close"))
    told = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
    return NUMBERS.sub(rb"\1#", CHANGING.sub(rb"\1: #\r", told))


PLACE = limit_order("BUY", "60000", "0.001", newClientOrderId="x1", newOrderRespType="FULL")
SCRIPTS = {
    "no signature": lambda: request("GET", "/api/v3/order?symbol=BTCUSDT"),
    "nobody's key": lambda: request("GET", "/api/v3/account", "X-MBX-APIKEY: nobody"),
    "an account": lambda: request("GET", f"/api/v3/account?{signed(ALICE)}"),
    "in microseconds": lambda: request(
        "GET", f"/api/v3/openOrders?{signed(ALICE)}", "X-MBX-TIME-UNIT: MICROSECOND"
    ),
    "an order, and its end": lambda: (
        request("POST", f"/api/v3/order?{signed(ALICE, **PLACE)}")
        + request("GET", f"/api/v3/order?{signed(ALICE, symbol='BTCUSDT', origClientOrderId='x1')}")
        + request(
            "DELETE",
            "/api/v3/order",
            body=signed(ALICE, symbol="BTCUSDT", origClientOrderId="x1", newClientOrderId="x2"),
        )
    ),
    "a body in chunks": lambda: request(
        "POST", f"/api/v3/order?{signed(ALICE, symbol='NOPE')}", "Transfer-Encoding: chunked"
    )
    + b"5\r\na=b&c\r\n0\r\n\r\n",
    "a body asked for": lambda: request(
        "POST", "/api/v3/order", "Expect: 100-continue", body="symbol=BTCUSDT&side=BUY"
    ),
    "a body that is too large": lambda: request("POST", "/api/v3/order", body="x" * 20_000),
    "a query that is too large": lambda: request("GET", f"/api/v3/order?{'x' * 20_000}"),
    "a key that may not": lambda: request(
        "POST", f"/api/v3/order?{signed(READER, **PLACE)}", user_id=READER
    ),
    "a head alone": lambda: request("HEAD", "/api/v3/order"),
    "another method": lambda: request("PATCH", "/api/v3/order"),
    "a method that is none": lambda: request("OPTIONS", "/api/v3/order"),
    "another path": lambda: request("GET", "/api/v3/order/nope"),
    "an escaped path": lambda: request("GET", "/api/v3/%6frder?symbol=BTCUSDT"),
    "an old version": lambda: request("GET", "/api/v3/order", version="1.0"),
    "the last one": lambda: request("GET", "/api/v3/order", "Connection: close"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
async def test_both_ways_answer_the_same_bytes(exchange: OrderExchange, name: str) -> None:
    async with both_ways(exchange) as (long_port, short_port):
        sent = SCRIPTS[name]()
        by_the_long, by_the_short = await answered(long_port, sent), await answered(short_port, sent)
    assert by_the_long.startswith(b"HTTP/1.")
    assert by_the_long.count(b"content-security-policy: ") == len(
        re.findall(rb"HTTP/1\.1 [2-5]", by_the_long)
    )
    assert by_the_short == by_the_long


async def test_a_service_that_has_not_started_is_refused_the_same() -> None:
    exchange = OrderExchange()
    async with both_ways(exchange) as (long_port, short_port):
        sent = request("GET", f"/api/v3/account?{signed(ALICE)}")
        by_the_long, by_the_short = await answered(long_port, sent), await answered(short_port, sent)
    assert b"retry-after: 1" in by_the_long
    assert by_the_short == by_the_long


async def test_a_trusted_proxy_tells_the_address_by_both_ways(exchange: OrderExchange) -> None:
    # The key belongs to another address, so the answer tells which one was looked at.
    exchange.credentials.keys[KEYS[ALICE]] = hmac_key(ALICE, "READ", ip_allow_list=("203.0.113.9",))
    async with both_ways(exchange) as ports:
        for peer, told, status in (
            ("127.0.0.9", "203.0.113.9", b"200"),
            ("127.0.0.9", "198.51.100.1, 203.0.113.9", b"200"),
            ("127.0.0.9", "203.0.113.9, 198.51.100.1", b"401"),
            ("127.0.0.9", "", b"401"),
            ("127.0.0.1", "203.0.113.9", b"401"),
        ):
            sent = request("GET", f"/api/v3/openOrders?{signed(ALICE)}", f"X-Forwarded-For: {told}")
            for port in ports:
                assert (await answered(port, sent, peer)).startswith(b"HTTP/1.1 " + status), (peer, told)


def test_a_long_list_of_addresses_is_read_and_not_remembered() -> None:
    clients = ClientAddresses("127.0.0.9")
    hosts = ", ".join(f"203.0.113.{n}" for n in range(200)).encode()
    scope = {"client": ("127.0.0.9", 5), "headers": [(b"x-forwarded-for", hosts)]}
    assert clients.of(scope) == ("203.0.113.199", 0)
    assert clients._known.cache_info().currsize == 0


async def test_a_handler_that_fails_is_a_500_and_the_server_goes_on() -> None:
    async def fails(scope: object, receive: object, whole: bytes | None) -> Answer | None:
        raise ValueError("no")

    async with running_exchange() as exchange:
        listener = bind("127.0.0.1", 0)
        server = HttpServer(exchange.app, listener, direct={"/fails": fails})
        running = asyncio.create_task(server.run())
        try:
            told = await answered(listener.getsockname()[1], request("GET", "/fails"))
            assert told.startswith(b"HTTP/1.1 500 ")
            told = await answered(listener.getsockname()[1], request("GET", "/healthz"))
            assert told.startswith(b"HTTP/1.1 200 ")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await server.stop()
