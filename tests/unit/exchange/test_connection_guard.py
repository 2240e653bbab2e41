"""Peers that misbehave, on real sockets with small buffers. Limits are small, so that tests are quick."""

import asyncio
import base64
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from exchange.http.connection_guard import ConnectionLimits
from exchange.http.server import HttpServer, bind

DEADLINE_S = 60.0
LIMITS = ConnectionLimits(
    head_s=0.3,
    body_s=0.3,
    http_stall_s=0.3,
    websocket_stall_s=0.3,
    close_s=0.3,
    pipelined_max=200,
    fragments_max=50,
    controls_per_s_max=100_000,
    sockets_max=5,
)
ANSWER_SIZE_BYTES = 1_000_000
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Site:
    """An application that answers everything, and what it has been sent."""

    def __init__(self) -> None:
        self.requests = 0
        self.messages: list[Any] = []
        self.sockets = 0
        self.refusal = 0
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._serve_socket(receive, send)
            return
        self.requests += 1
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                continue
        body = b"x" * (ANSWER_SIZE_BYTES if scope["path"] == "/large" else 2)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _serve_socket(self, receive: Any, send: Any) -> None:
        await receive()
        if self.refusal:
            await send({"type": "websocket.http.response.start", "status": self.refusal, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"no"})
            return
        await send({"type": "websocket.accept"})
        self.sockets += 1
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                self.messages.append(message.get("text") or message.get("bytes"))
                await send({"type": "websocket.send", "text": "x" * 100_000})
        finally:
            self.sockets -= 1

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection whose kernel keeps little of what is not read."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=raw, limit=4_096)

    async def open_socket(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The same after a WebSocket handshake."""
        reader, writer = await self.connect()
        key = base64.b64encode(os.urandom(16))
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
        assert b" 101 " in head
        return reader, writer


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    listener = bind("127.0.0.1", 0)
    site.port = listener.getsockname()[1]
    server = HttpServer(site, listener, limits=LIMITS)
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0)
    try:
        yield site
        # Whatever has happened: the next one is served.
        reader, writer = await site.connect()
        writer.write(GET)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
        writer.close()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame of a client (RFC 6455, 5.2), with a mask of zeros."""
    first = opcode | (0x80 if fin else 0)
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size | mask)
    elif size < 65_536:
        head = struct.pack("!BBH", first, 126 | mask, size)
    else:
        head = struct.pack("!BBQ", first, 127 | mask, size)
    return head + (bytes(4) if masked else b"") + payload


async def everything(reader: asyncio.StreamReader) -> bytes:
    """All until the server closes."""
    got = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE_S):
            while chunk := await reader.read(65_536):
                got += chunk
    return got


def cuts(reason: str) -> float:
    return REGISTRY.get_sample_value("exchange_sockets_cut_total", {"reason": reason}) or 0.0


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_five_seconds_are_the_limit_for_a_socket_that_does_not_read() -> None:
    assert ConnectionLimits().websocket_stall_s < 5


@pytest.mark.parametrize("start", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A", GET + b"GET / HT"])
async def test_head_that_does_not_come_ends_the_connection(site: Site, start: bytes) -> None:
    reader, writer = await site.connect()
    writer.write(start)
    got = await everything(reader)
    assert b" 408 " in got
    assert b" 200 " in got or not start.startswith(GET)
    writer.close()


async def test_header_that_comes_byte_by_byte_ends_the_connection(site: Site) -> None:
    reader, writer = await site.connect()
    writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    reading = asyncio.create_task(everything(reader))
    while not reading.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"a")
            await writer.drain()
        await asyncio.sleep(0.03)
    assert b" 408 " in await reading
    assert site.requests == 0
    writer.close()


async def test_body_that_comes_byte_by_byte_ends_the_connection(site: Site) -> None:
    reader, writer = await site.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    reading = asyncio.create_task(everything(reader))
    while not reading.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"a")
            await writer.drain()
        await asyncio.sleep(0.03)
    await reading
    assert cuts("body too late")
    writer.close()


async def test_connection_between_two_requests_is_not_hurried(site: Site) -> None:
    reader, writer = await site.connect()
    for _ in range(3):
        writer.write(GET)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nxx"), DEADLINE_S)
        assert b" 200 " in answer
        await asyncio.sleep(0.4)  # longer than a head may take
    writer.close()


async def test_head_without_end_is_refused_before_it_fills_the_memory(site: Site) -> None:
    reader, writer = await site.connect()
    reading = asyncio.create_task(everything(reader))
    writer.write(b"GET / HTTP/1.1\r\nX-Endless: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while not reading.done() and sent < 50_000_000:
            writer.write(b"a" * 65_536)
            await writer.drain()
            sent += 65_536
    await reading
    assert sent < 10_000_000
    writer.close()


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    reader, writer = await site.connect()
    writer.write(GET * 100 + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert (await everything(reader)).count(b" 200 ") == 101
    writer.close()


async def test_pipelined_requests_are_bounded(site: Site) -> None:
    reader, writer = await site.connect()
    reading = asyncio.create_task(everything(reader))
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            writer.write(GET * 2_000)
            await writer.drain()
    await reading
    assert site.requests < 2_000
    writer.close()


async def test_answer_that_is_not_read_ends_the_connection(site: Site) -> None:
    reader, writer = await site.connect()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    before = cuts("does not read")
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: cuts("does not read") > before)
    writer.transport.abort()


@pytest.mark.parametrize("upgrade", [b"h2c", b"tcp", b"websocket, h2c", b"\xff"])
async def test_upgrade_to_something_else_leaves_a_plain_request(site: Site, upgrade: bytes) -> None:
    reader, writer = await site.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n")
    assert b" 200 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
    writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        b"Sec-WebSocket-Version: 13\r\n",
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" * 2,
    ],
)
async def test_handshake_that_is_none_is_refused(site: Site, headers: bytes) -> None:
    reader, writer = await site.connect()
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + headers + b"\r\n"
    )
    status = int((await everything(reader)).split()[1])
    assert 400 <= status < 500
    assert site.sockets == 0
    writer.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [(b"/?" + b"a" * 9_000, b"", 414), (b"/", b"X-Long: " + b"a" * 9_000 + b"\r\n", 431)],
)
async def test_handshake_with_too_long_a_line_is_answered_and_its_connection_ends(
    site: Site, path: bytes, headers: bytes, status: int
) -> None:
    reader, writer = await site.connect()
    key = base64.b64encode(os.urandom(16))
    writer.write(
        b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n" + headers + b"\r\n"
    )
    assert int((await everything(reader)).split()[1]) == status
    assert site.sockets == 0
    writer.close()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"\xff\xfe")], 1007),
        ([frame(TEXT, b"\xc3", fin=False), frame(CONTINUATION, b"\x28")], 1007),
        ([frame(TEXT, b"ok", masked=False)], 1002),
        ([frame(CONTINUATION, b"of nothing")], 1002),
        ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], 1002),
        ([frame(3, b"unknown")], 1002),
        ([frame(PING, b"a" * 126)], 1002),
        ([frame(PING, fin=False)], 1002),
        ([frame(TEXT, b"a" * 65_537)], 1009),
        ([frame(TEXT, b"a" * 40_000, fin=False), frame(CONTINUATION, b"a" * 40_000)], 1009),
        ([frame(TEXT, fin=False), *[frame(CONTINUATION, fin=False)] * 100], 1008),
        ([frame(CLOSE, b"\x03")], 1002),
        ([frame(CLOSE, struct.pack("!H", 999))], 1002),
    ],
)
async def test_frames_that_break_the_rules_end_the_connection_with_their_code(
    site: Site, frames: list[bytes], code: int
) -> None:
    reader, writer = await site.open_socket()
    for each in frames:
        writer.write(each)
    got = await everything(reader)
    assert got[0] == 0x80 | CLOSE, got[:100]
    assert struct.unpack("!H", got[2:4]) == (code,)
    await eventually(lambda: site.sockets == 0)
    assert site.messages == []
    writer.close()


async def test_fragments_and_pings_between_them_make_one_message(site: Site) -> None:
    reader, writer = await site.open_socket()
    writer.write(frame(TEXT, b"\xc3", fin=False) + frame(PING, b"now"))
    writer.write(frame(CONTINUATION, b"\xa4", fin=False) + frame(CONTINUATION, b"!"))
    assert await asyncio.wait_for(reader.readexactly(5), DEADLINE_S) == bytes((0x80 | PONG, 3)) + b"now"
    await eventually(lambda: site.messages == ["ä!"])
    writer.write(frame(BINARY, b"\xff"))
    reading = asyncio.create_task(everything(reader))
    await eventually(lambda: site.messages == ["ä!", b"\xff"])
    writer.close()
    await reading


async def test_socket_that_does_not_read_is_cut_and_the_others_do_not_notice(site: Site) -> None:
    deaf_reader, deaf_writer = await site.open_socket()
    other_reader, other_writer = await site.open_socket()
    deaf_reader._transport.pause_reading()  # type: ignore[attr-defined]
    before = cuts("does not read")
    answers = 0
    while cuts("does not read") == before:
        with contextlib.suppress(ConnectionError):
            deaf_writer.write(frame(TEXT, b"more") * 20)
        other_writer.write(frame(TEXT, b"one"))
        got = await asyncio.wait_for(other_reader.readexactly(100_010), DEADLINE_S)
        assert got[10:] == b"x" * 100_000
        answers += 1
    assert answers >= 1
    await eventually(lambda: site.sockets == 1)
    deaf_writer.transport.abort()
    other_writer.transport.abort()


async def test_pings_of_a_socket_that_does_not_read_fill_no_memory(site: Site) -> None:
    reader, writer = await site.open_socket()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    before = cuts("does not read")
    pings = frame(PING, b"p" * 125) * 500
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        while cuts("does not read") == before and sent < 200_000_000:
            writer.write(pings)
            async with asyncio.timeout(0.1):
                await writer.drain()
            sent += len(pings)
    await eventually(lambda: cuts("does not read") > before)
    assert sent < 20_000_000
    await eventually(lambda: site.sockets == 0)
    writer.transport.abort()
