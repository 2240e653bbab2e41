"""One socket of the WebSocket API as a transport: bounded in, bounded out, one writer.

A client that does not read is cut off within five seconds by the server (`http.connection_guard`), or
when its queue has too many bytes or too old ones; requests beyond those in work wait unread.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from exchange.contracts import limits
from exchange.contracts.limits import (
    FRAME_COST_BYTES,
    SOCKET_QUEUE_AGE_S_MAX,
    SOCKET_QUEUE_SIZE_BYTES_MAX,
)
from exchange.http.addresses import owner_of
from exchange.http.connection_guard import SOCKETS_CUT
from exchange.http.fair_turns import FairTurns

__all__ = ["POLICY", "Connection"]

logger = logging.getLogger(__name__)
REQUESTS_IN_WORK_MAX: Final = limits.REQUESTS_IN_WORK_PER_SOCKET_MAX
LIFETIME_S: Final = 86_400.0  # binance-spot-api 4: at most 24 hours
CLOSE_DEADLINE_S: Final = 2.0
NORMAL: Final = 1000
TOO_BIG: Final = 1009
POLICY: Final = 1008


class Connection:
    """Reads texts and hands them over, one after the other; sends what `send` was given, in order.

    `turns`: sockets of all addresses take turns. Without them one that has sent thousands of messages at once
    would keep the process until each of those is answered: what has arrived is read without a pause.
    """

    def __init__(self, websocket: WebSocket, message_size_bytes_max: int, turns: FairTurns) -> None:
        self._websocket = websocket
        self._turns = turns
        self._owner = owner_of(websocket.client.host) if websocket.client else ""
        self._message_size_bytes_max = message_size_bytes_max
        # Each with the time at which it was queued.
        self._frames: deque[tuple[bytes, float]] = deque()
        self._bytes_queued = 0
        self._wake = asyncio.Event()
        self._cut = asyncio.Event()
        self._close_code = NORMAL
        self._slots = asyncio.Semaphore(REQUESTS_IN_WORK_MAX)
        self._in_work: set[asyncio.Task[None]] = set()

    def send(self, frame: bytes) -> None:
        """Queue a text frame (UTF-8). Never blocks: a full queue ends the connection."""
        if self._cut.is_set():
            return
        now_s, cost = time.monotonic(), len(frame) + FRAME_COST_BYTES
        is_old = bool(self._frames) and now_s - self._frames[0][1] > SOCKET_QUEUE_AGE_S_MAX
        if is_old or self._bytes_queued + cost > SOCKET_QUEUE_SIZE_BYTES_MAX:
            SOCKETS_CUT.labels("queue full").inc()
            self.end(POLICY)
            return
        self._frames.append((frame, now_s))
        self._bytes_queued += cost
        self._wake.set()

    def end(self, code: int) -> None:
        """Close soon, with this code."""
        if not self._cut.is_set():
            self._close_code = code
            self._cut.set()

    async def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a request beside the reading of the next one; waits while too many are in work."""
        try:
            await self._slots.acquire()
        except BaseException:
            work.close()
            raise
        task = asyncio.get_running_loop().create_task(work)
        self._in_work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_work.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            logger.error("a request failed", exc_info=task.exception())

    async def serve(self, on_text: Callable[[str], Awaitable[None]]) -> None:
        """Serve the accepted socket until either side ends it."""
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._read(on_text)),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._cut.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, timeout=LIFETIME_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._cut.set()
            for task in (*tasks, *self._in_work):
                task.cancel()
            await asyncio.gather(*tasks, *self._in_work, return_exceptions=True)
            await self._close()

    async def _read(self, on_text: Callable[[str], Awaitable[None]]) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", "replace")
            if len(text) > self._message_size_bytes_max:
                self.end(TOO_BIG)
                return
            await self._turns.wait(self._owner)
            await on_text(text)

    async def _write(self) -> None:
        try:
            while True:
                while self._frames:
                    frame, _ = self._frames.popleft()
                    self._bytes_queued -= len(frame) + FRAME_COST_BYTES
                    await self._websocket.send({"type": "websocket.send", "text": frame.decode()})
                self._wake.clear()
                await self._wake.wait()
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the client has gone

    async def _close(self) -> None:
        states = (self._websocket.client_state, self._websocket.application_state)
        if WebSocketState.DISCONNECTED in states:
            return
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._websocket.close(self._close_code)
        except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            return
