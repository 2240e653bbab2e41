"""Stream clients: most read, some never do. Those are cut by the exchange, and come again."""

import asyncio
import base64
import contextlib
import os
import socket
from collections import Counter
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

__all__ = ["StreamClients"]

READER_STREAMS = ("btcusdt@depth@1000ms", "ethusdt@miniTicker", "ethbtc@kline_1m", "!ticker@arr")
DEAF_STREAMS = "/".join(
    f"{symbol}@{kind}"
    for symbol in ("btcusdt", "ethusdt", "ethbtc")
    for kind in ("trade", "aggTrade", "bookTicker", "depth@100ms", "depth20@100ms", "ticker", "kline_1s")
)
RECEIVE_BUFFER_SIZE_BYTES = 4_096
PING = b"\x89\x80" + bytes(4)
PING_EVERY_S = 1.0
PAUSE_S = 1.0
HANDSHAKE_DEADLINE_S = 20.0
CONNECTS_AT_ONCE = 20


class StreamClients:
    """`count` sockets, every tenth of them deaf. `counts`: messages, cuts, lost (readers), refused."""

    def __init__(self, url: str, count: int, deaf_every: int = 10) -> None:
        self._url = url
        self._count = count
        self._deaf_every = deaf_every
        self._connecting = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Keep all connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                is_deaf = number % self._deaf_every == 0
                group.create_task(self._keep(number, is_deaf=is_deaf))

    async def _keep(self, number: int, *, is_deaf: bool) -> None:
        while True:
            try:
                await (self._deaf() if is_deaf else self._reader(number))
            except (OSError, InvalidHandshake, asyncio.IncompleteReadError):
                self.counts["refused"] += 1
            await asyncio.sleep(PAUSE_S)

    async def _reader(self, number: int) -> None:
        url = self._url.replace("http", "ws", 1) + "/ws/" + READER_STREAMS[number % len(READER_STREAMS)]
        async with self._connecting:
            connection = await connect(url, proxy=None, compression=None, open_timeout=HANDSHAKE_DEADLINE_S)
        try:
            async for _ in connection:
                self.counts["messages"] += 1
        except ConnectionClosed:
            pass
        finally:
            connection.transport.abort()
        self.counts["lost"] += 1

    async def _deaf(self) -> None:
        """Read nothing after the handshake. A ping now and then tells whether the other side is there."""
        loop = asyncio.get_running_loop()
        where = urlsplit(self._url)
        with contextlib.closing(socket.socket()) as raw:
            raw.setblocking(False)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_SIZE_BYTES)
            async with self._connecting, asyncio.timeout(HANDSHAKE_DEADLINE_S):
                await loop.sock_connect(raw, (where.hostname, where.port))
                key = base64.b64encode(os.urandom(16)).decode()
                await loop.sock_sendall(
                    raw,
                    f"GET /stream?streams={DEAF_STREAMS} HTTP/1.1\r\nHost: {where.netloc}\r\n"
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Key: {key}\r\n\r\n".encode(),
                )
                if b" 101 " not in await loop.sock_recv(raw, 64):
                    raise ConnectionError("no handshake")
            try:
                while True:
                    await asyncio.sleep(PING_EVERY_S)
                    async with asyncio.timeout(PING_EVERY_S):
                        await loop.sock_sendall(raw, PING)
            except (OSError, TimeoutError):
                self.counts["cuts"] += 1
