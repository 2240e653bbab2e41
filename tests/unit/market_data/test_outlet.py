"""Promises of the way from a publisher to a socket: at once where it can be, else in order and bounded."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from exchange.contracts.limits import SOCKET_QUEUE_SIZE_BYTES_MAX
from services.market_data.streams.hub import Client, Frame, Hub
from services.market_data.streams.outlet import _WRITE_SIZE_MAX, _TransportOutlet
from services.market_data.streams.sockets import _write

NAME = "btcusdt@depth@100ms"


class Transport:
    """Keeps what is written until the peer reads it; `writable` as uvicorn's protocol clears and sets it."""

    def __init__(self) -> None:
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


def connected(hub: Hub) -> tuple[Client, Transport, _TransportOutlet]:
    client, transport = Client(combined=False, microseconds=False), Transport()
    protocol: Any = type("Protocol", (), {"transport": transport, "writable": transport.writable})
    outlet = _TransportOutlet(cast(WebSocketsSansIOProtocol, protocol))
    client.write_now = outlet.write_now
    hub.connect(client)
    hub.subscribe(client, [NAME])
    return client, transport, outlet


def text(number: int, size: int = 20) -> bytes:
    return b'{"n":%d}' % number + b" " * size


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
        hub.publish(NAME, lambda scale, n=number: text(n, 5_000))
        if number % 7 == 0:
            await asyncio.sleep(0)
        assert len(transport.buffer) < 2 * _WRITE_SIZE_MAX, "the rest waits in the queue, which is bounded"
    assert client._queue, "it has queued"
    assert client.sending_since_s is not None, "and is known not to take what it was sent"
    for _ in range(count):
        transport.drain()
        await asyncio.sleep(0)
    hub.publish(NAME, lambda scale: text(count))
    transport.drain()
    assert (
        transport.read == b"".join(Frame(text(n, 5_000)).wire for n in range(count)) + Frame(text(count)).wire
    )
    assert client.sending_since_s is None
    writer.cancel()


async def test_who_has_gone_is_not_written_to_and_its_task_ends() -> None:
    hub = Hub()
    client, transport, outlet = connected(hub)
    writer = asyncio.create_task(_write(client, outlet))
    transport.is_closed = True
    hub.publish(NAME, lambda scale: text(1))
    done, _ = await asyncio.wait([writer], timeout=5)
    assert isinstance(writer.exception() if done else None, ConnectionResetError)


async def test_a_peer_that_never_reads_is_cut_all_the_same() -> None:
    hub = Hub()
    client, _, outlet = connected(hub)
    writer = asyncio.create_task(_write(client, outlet))
    for number in range(2 * SOCKET_QUEUE_SIZE_BYTES_MAX // 5_000):
        hub.publish(NAME, lambda scale, n=number: text(n, 5_000))
        await asyncio.sleep(0)
        if client.cut_reason:
            break
    assert client.cut_reason == "too slow: its queue is full"
    writer.cancel()
