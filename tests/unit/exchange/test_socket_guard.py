"""WebSockets among the connections of a server: how many, how chatty, and how one is refused."""

import asyncio
import base64

import pytest

from exchange.http.connection_guard import ConnectionLimits
from exchange.http.server import HttpServer, bind
from tests.unit.exchange.test_connection_guard import (
    DEADLINE_S,
    GET,
    LIMITS,
    PING,
    PONG,
    Site,
    cuts,
    eventually,
    everything,
    frame,
    site,
)

__all__ = ["site"]

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)


async def test_sockets_leave_room_for_requests(site: Site) -> None:
    assert LIMITS.sockets_max is not None
    before = cuts("too many sockets")
    opened = [await site.open_socket() for _ in range(LIMITS.sockets_max)]
    refused_reader, refused_writer = await site.connect()
    refused_writer.write(UPGRADE)
    assert (await everything(refused_reader)).startswith(b"HTTP/1.1 503 ")
    assert cuts("too many sockets") == before + 1
    # A request is served all the same, and a place that was left is free.
    reader, writer = await site.connect()
    writer.write(GET)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
    opened[0][1].transport.abort()
    await eventually(lambda: site.sockets == len(opened) - 1)
    again = await site.open_socket()
    for left in (*(each for _, each in opened), refused_writer, writer, again[1]):
        left.close()
    await eventually(lambda: site.sockets == 0)


async def test_pings_without_end_end_the_connection(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ConnectionLimits().controls_per_s_max
    reader, writer = await site.open_socket()
    writer.write(frame(PING, b"now") * few)
    pongs = await asyncio.wait_for(reader.readexactly(5 * few), DEADLINE_S)
    assert pongs == (bytes((0x80 | PONG, 3)) + b"now") * few
    writer.transport.abort()
    hurried = ConnectionLimits()
    served = Site()
    listener = bind("127.0.0.1", 0)
    served.port = listener.getsockname()[1]
    server = HttpServer(served, listener, limits=hurried)
    running = asyncio.create_task(server.run())
    try:
        for opcode in (PING, PONG):
            before = cuts("too many pings")
            reader, writer = await served.open_socket()
            writer.write(frame(opcode, b"now") * (2 * few + 1))
            got = await everything(reader)
            assert got.endswith(b"\x03\xf0too many pings"), got[-40:]
            assert cuts("too many pings") == before + 1
            writer.transport.abort()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


async def test_a_refused_handshake_is_no_error_of_ours(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.refusal = 429
    reader, writer = await site.connect()
    writer.write(UPGRADE)
    got = await everything(reader)
    assert got.startswith(b"HTTP/1.1 429 ")
    assert got.endswith(b"no")
    assert caplog.records == []
    writer.transport.abort()
