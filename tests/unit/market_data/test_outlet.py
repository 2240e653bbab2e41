"""Promises of the way from a publisher to a socket: at once where it can be, else in order and bounded."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvloop
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from exchange.contracts.limits import SOCKET_QUEUE_SIZE_BYTES_MAX
from services.market_data.streams.deliveries import Frame
from services.market_data.streams.hub import Client, Hub
from services.market_data.streams.outlet import _WRITE_SIZE_MAX, _TransportOutlet
from services.market_data.streams.sockets import _write

NAME = "btcusdt@depth@100ms"


def is_behind(client: Client) -> bool:
    return client.sending_since_s is not None


class Transport:
    """Keeps what is written until the peer reads it; `writable` as uvicorn's protocol clears and sets it."""

    def __init__(self, descriptor: socket.socket | None = None) -> None:
        self.descriptor = descriptor
        self.buffer = b""
        self.read = b""
        self.is_closed = False
        self.writable = asyncio.Event()
        self.writable.set()

    def write(self, data: bytes) -> None:
        assert not self.is_closed, "nobody writes to what is closing"
        self.buffer += data
        if len(self.buffer) > _WRITE_SIZE_MAX:
            self.writable.clear()

    def drain(self) -> None:
        self.read, self.buffer = self.read + self.buffer, b""
        self.writable.set()

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str) -> socket.socket | None:
        return self.descriptor if name == "socket" else None


def connected(
    hub: Hub, descriptor: socket.socket | None = None
) -> tuple[Client, Transport, _TransportOutlet]:
    client, transport = Client(combined=False, microseconds=False), Transport(descriptor)
    protocol: Any = type("Protocol", (), {"transport": transport, "writable": transport.writable})
    outlet = _TransportOutlet(cast(WebSocketsSansIOProtocol, protocol))
    client.write_now = outlet.write_now
    hub.connect(client)
    hub.subscribe(client, [NAME])
    return client, transport, outlet


def text(number: int, size: int = 20) -> bytes:
    return b'{"n":%d}' % number + b" " * size


def numbered(number: int, size: int, scale: int) -> bytes:
    return text(number, size)


async def test_a_message_is_at_every_socket_before_the_publisher_goes_on() -> None:
    hub = Hub()
    sockets = [connected(hub) for _ in range(50)]
    writers = [asyncio.create_task(_write(client, outlet)) for client, _, outlet in sockets]
    await asyncio.sleep(0)
    hub.publish(NAME, lambda scale: text(1))
    assert {transport.buffer for _, transport, _ in sockets} == {Frame(text(1)).wire}
    assert not any(client._filled.is_set() for client, _, _ in sockets), "no task was woken"
    for writer in writers:
        writer.cancel()


async def test_messages_stay_in_order_through_a_peer_that_reads_late() -> None:
    hub = Hub()
    client, transport, outlet = connected(hub)
    writer = asyncio.create_task(_write(client, outlet))
    count = 40
    for number in range(count):
        hub.publish(NAME, partial(numbered, number, 5_000))
        if number % 7 == 0:
            await asyncio.sleep(0)
        assert len(transport.buffer) < 2 * _WRITE_SIZE_MAX, "the rest waits in the queue, which is bounded"
    assert client._queue, "it has queued"
    assert is_behind(client), "and is known not to take what it was sent"
    for _ in range(count):
        transport.drain()
        await asyncio.sleep(0)
    hub.publish(NAME, lambda scale: text(count))
    transport.drain()
    assert (
        transport.read == b"".join(Frame(text(n, 5_000)).wire for n in range(count)) + Frame(text(count)).wire
    )
    assert not is_behind(client)
    writer.cancel()


async def test_who_has_gone_is_not_written_to_and_its_task_ends() -> None:
    hub = Hub()
    client, transport, outlet = connected(hub)
    writer = asyncio.create_task(_write(client, outlet))
    transport.is_closed = True
    hub.publish(NAME, lambda scale: text(1))
    done, _ = await asyncio.wait([writer], timeout=5)
    assert isinstance(writer.exception() if done else None, ConnectionResetError)


class Peer(asyncio.Protocol):
    """The server's end of a real connection, as uvicorn's protocol is one."""

    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


@asynccontextmanager
async def opened(hub: Hub) -> AsyncIterator[socket.socket]:
    """The socket of a client who is connected and subscribed."""
    loop, accepted = asyncio.get_running_loop(), list[Peer]()

    def accept() -> Peer:
        accepted.append(Peer())
        return accepted[0]

    server = await loop.create_server(accept, "127.0.0.1", 0)
    with socket.socket() as theirs:
        theirs.setblocking(False)
        await loop.sock_connect(theirs, server.sockets[0].getsockname())
        while not accepted or accepted[0].transport is None:
            await asyncio.sleep(0.01)
        peer = cast(Any, accepted[0])
        outlet, client = _TransportOutlet(peer), Client(combined=False, microseconds=False)
        client.write_now = outlet.write_now
        hub.connect(client)
        hub.subscribe(client, [NAME])
        writer = asyncio.create_task(_write(client, outlet))
        yield theirs
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        peer.transport.abort()
    server.close()


def test_a_real_peer_that_reads_late_gets_all_in_order() -> None:
    uvloop.run(read_late())  # as the service runs


async def read_late() -> None:
    hub, count, size = Hub(), 400, 3_000
    async with asyncio.timeout(60), opened(hub) as theirs:
        for number in range(count):
            hub.publish(NAME, partial(numbered, number, size))
            if number % 50 == 0:
                await asyncio.sleep(0)
        expected = b"".join(Frame(text(number, size)).wire for number in range(count))
        read = b""
        while len(read) < len(expected):
            read += await asyncio.get_running_loop().sock_recv(theirs, 65_536)
    assert read == expected
    assert len(expected) > 4 * _WRITE_SIZE_MAX, "more than the transport takes at once"


async def test_what_is_closed_is_not_written_to_although_its_descriptor_may_be_used_again() -> None:
    hub, (one, other) = Hub(), socket.socketpair()
    with one, other:
        client, transport, _ = connected(hub, one)
        hub.publish(NAME, partial(numbered, 1, 20))
        assert other.recv(1_000) == Frame(text(1)).wire
        assert not transport.buffer
        # From here on the number of the descriptor may mean another connection.
        transport.is_closed = True
        hub.publish(NAME, partial(numbered, 2, 20))
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1_000)
        assert client._queue, "it waits for the task, which sees that the peer has gone"


async def test_a_peer_that_never_reads_is_cut_all_the_same() -> None:
    hub = Hub()
    client, _, outlet = connected(hub)
    writer = asyncio.create_task(_write(client, outlet))
    for number in range(2 * SOCKET_QUEUE_SIZE_BYTES_MAX // 5_000):
        hub.publish(NAME, partial(numbered, number, 5_000))
        await asyncio.sleep(0)
        if client.cut_reason:
            break
    assert client.cut_reason == "too slow: its queue is full"
    writer.cancel()
