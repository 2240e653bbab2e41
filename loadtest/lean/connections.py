"""HTTP/1.1 connections that cost little: bytes go out, the answer's status and body come back."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["CONNECTIONS_MAX", "Connections", "OnAnswer"]

CONNECTIONS_MAX: Final = 500
_HEAD_SIZE_BYTES_MAX: Final = 65_536
_LENGTH: Final = b"content-length: "
# Called with the status and the body; status 0 and words when no answer came.
OnAnswer = Callable[[int, bytes], None]


class _Connection(asyncio.Protocol):
    def __init__(self, pool: "Connections") -> None:
        self._pool = pool
        self._on_answer: OnAnswer | None = None
        self._received = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes, on_answer: OnAnswer) -> None:
        """Send; one request at a time."""
        assert self.transport is not None, "connected"
        self._on_answer, self._received = on_answer, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            if len(received) > _HEAD_SIZE_BYTES_MAX:
                self._end(0, b"a head without end")
            return
        head = received[:head_end].lower()
        length_at = head.find(_LENGTH)
        if not received.startswith(b"HTTP/1.1 ") or length_at < 0:
            self._end(0, b"no HTTP/1.1 with a length: " + received[:80])
            return
        length = int(head[length_at + len(_LENGTH) :].partition(b"\r\n")[0])
        body = received[head_end + 4 :]
        if len(body) < length:
            return
        self._answered(int(received[9:12]), body, is_open=b"connection: close" not in head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._answered(0, b"connection closed", is_open=False)

    def _end(self, status: int, why: bytes) -> None:
        if self.transport is not None:
            self.transport.abort()
        self._answered(status, why, is_open=False)

    def _answered(self, status: int, body: bytes, *, is_open: bool) -> None:
        on_answer, self._on_answer = self._on_answer, None
        self._pool.free(self, is_open=is_open)
        if on_answer is not None:
            on_answer(status, body)


class Connections:
    """At most CONNECTIONS_MAX connections to one address, used again when they are free."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._opening = 0
        self._waiting: deque[tuple[bytes, OnAnswer]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, request: bytes, on_answer: OnAnswer) -> None:
        """Send on a free connection, on a new one, or as soon as one is free; status 0: no answer came."""
        if self._idle:
            self._idle.pop().ask(request, on_answer)
            return
        self._waiting.append((request, on_answer))
        if len(self._open) + self._opening < CONNECTIONS_MAX:
            self._opening += 1
            task = asyncio.create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), self._host, self._port
            )
        except OSError as error:
            if self._waiting:
                self._waiting.popleft()[1](0, str(error).encode())
            return
        finally:
            self._opening -= 1
        self._open.add(connection)
        self.free(connection, is_open=True)

    def free(self, connection: _Connection, *, is_open: bool) -> None:
        """A connection has answered, or is gone."""
        if not is_open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
        elif connection in self._open:
            if self._waiting:
                connection.ask(*self._waiting.popleft())
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Close all; what is under way is not answered."""
        for connection in list(self._open):
            if connection.transport is not None:
                connection.transport.abort()
