"""What the server refuses itself is told in the API's form, whatever was wrong."""

import asyncio
import json

import pytest

from exchange.http.server import HttpServer, bind
from tests.unit.exchange.test_connection_guard import GET, LIMITS, Site, everything, site

__all__ = ["site"]

READ = "Too many parameters sent for this endpoint; at most {} are read."


@pytest.mark.parametrize(
    ("head", "status", "code", "text"),
    [
        (
            b"GET / HTTP/1.1\r\nX-Large: " + b"a" * 70_000 + b"\r\n\r\n",
            431,
            -1101,
            READ.format("65536 bytes"),
        ),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, -1101, READ.format("65536 bytes")),
        (b"GET /?x=" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414, -1101, READ.format("65536 bytes")),
        (b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 101 + b"\r\n", 431, -1101, READ.format("100 headers")),
        (b"GARBAGE\r\n\r\n", 400, -1100, "Illegal characters found in the request."),
        (b"GET / HTTP/1.1\r\nX-Slow: ", 408, -1000, "The request did not arrive in time."),
    ],
    ids=["header", "path", "query", "many", "garbage", "late"],
)
async def test_what_the_server_refuses_itself_is_told_as_the_api_tells_it(
    site: Site, head: bytes, status: int, code: int, text: str
) -> None:
    reader, writer = await site.connect()
    writer.write(head)
    told, _, body = (await everything(reader)).partition(b"\r\n\r\n")
    lines = told.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % status)
    assert {b"content-type: application/json;charset=UTF-8", b"connection: close"} < set(lines)
    assert {b"content-length: %d" % len(body), b"x-content-type-options: nosniff"} < set(lines)
    assert json.loads(body) == {"code": code, "msg": text}
    assert site.requests == 0
    writer.close()


async def test_who_is_one_too_many_is_told_so_as_the_api_tells_it() -> None:
    site = Site()
    listener = bind("127.0.0.1", 0)
    site.port = listener.getsockname()[1]
    server = HttpServer(site, listener, limits=LIMITS)
    server._server.config.limit_concurrency = 2
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0)
    try:
        others = [await site.connect() for _ in range(3)]
        reader, writer = others[-1]
        writer.write(GET)
        told, _, body = (await everything(reader)).partition(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"content-type: application/json;charset=UTF-8" in told.split(b"\r\n")
        assert json.loads(body)["code"] == -1008
        for _, writer in others:
            writer.close()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert site.requests == 0
