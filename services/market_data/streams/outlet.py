"""How frames reach a client: by the server's transport when it can be had, else by ASGI messages.

uvicorn frames every message anew for every client. A text frame of the server side is the same for all
(no mask, no compression), so with uvicorn's sans-I/O protocol the ready bytes are written to the socket,
all that is queued in one write: about three times the deliveries of one core.

A peer that has taken all it was sent gets the next message by a call of the system, without a round through
the transport's own buffer: a sixth of what a message costs (ADR 0058).
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.market_data.streams.deliveries import Frame

__all__ = ["Outlet", "Send", "open_outlet"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
_WRITE_SIZE_MAX = 65_536


class Outlet(Protocol):
    """Where a client's frames go."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """Hand over frames in order; return when more may come. Raises OSError when the peer is gone."""
        ...

    def write_now(self, frame: Frame) -> bool:
        """Hand over one frame if the peer keeps up with what it was given; whether it was."""
        ...

    def abort(self) -> None:
        """Drop the connection with all that it was not yet given."""
        ...


class _AsgiOutlet:
    def __init__(self, send: Send) -> None:
        self._send = send

    async def write(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            await self._send({"type": "websocket.send", "text": frame.payload.decode()})

    def write_now(self, frame: Frame) -> bool:
        return False

    def abort(self) -> None:
        return None


class _TransportOutlet:
    """Writes to a connection of uvicorn's WebSocketsSansIOProtocol."""

    def __init__(self, protocol: WebSocketsSansIOProtocol) -> None:
        self._transport = protocol.transport
        self._writable = protocol.writable
        self._descriptor = _plain_descriptor(protocol.transport)

    async def write(self, frames: Sequence[Frame]) -> None:
        pending: list[bytes] = []
        size = 0
        for frame in frames:
            pending.append(frame.wire)
            size += len(frame.wire)
            if size >= _WRITE_SIZE_MAX:
                await self._flush(pending)
                pending, size = [], 0
        if pending:
            await self._flush(pending)

    def write_now(self, frame: Frame) -> bool:
        transport, wire = self._transport, frame.wire
        # What one turn of the loop writes counts here too, before any of it has left.
        waiting = transport.get_write_buffer_size()
        # A descriptor of what is closed may be another connection's by now.
        if waiting >= _WRITE_SIZE_MAX or transport.is_closing():
            return False
        if waiting or self._descriptor is None:
            transport.write(wire)
            return True
        try:
            written = os.write(self._descriptor, wire)
        except OSError:
            # It is full, or gone: the transport will know.
            written = 0
        if written < len(wire):
            transport.write(wire[written:])
        return True

    async def _flush(self, pending: list[bytes]) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closing")
        self._transport.write(b"".join(pending))
        # Cleared while the transport's buffer is above its high-water mark.
        await self._writable.wait()

    def abort(self) -> None:
        self._transport.abort()


def _plain_descriptor(transport: Any) -> int | None:
    """That of a connection whose bytes are what was written: not of one within TLS."""
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("ssl_object") is not None:
        return None
    return int(socket.fileno())


def open_outlet(send: Send) -> Outlet:
    """Choose by what stands behind `send`; call it after the handshake."""
    protocol = getattr(send, "__self__", None)
    # An extension (permessage-deflate) would have to see every frame.
    if isinstance(protocol, WebSocketsSansIOProtocol) and not protocol.conn.extensions:
        return _TransportOutlet(protocol)
    return _AsgiOutlet(send)
