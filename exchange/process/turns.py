"""Turns at something of which there is little: so many at once, so many waiting, each for a bounded time.

What is slow and can wait takes turns below the size of the pool of connections that it shares with what
cannot.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["NoTurnError", "Turns"]

WAIT_S: Final = 1.0
# More would only wait for each other until they are refused anyway.
WAITING_MAX: Final = 64


class NoTurnError(Exception):
    """Too many wait already, or the turn did not come in time: nothing was done."""


class Turns:
    """At most `at_once` at work and `waiting_max` waiting, each of these for `wait_s` seconds."""

    def __init__(self, at_once: int, wait_s: float = WAIT_S, waiting_max: int = WAITING_MAX) -> None:
        assert at_once > 0, "somebody must have a turn"
        self._free = asyncio.Semaphore(at_once)
        self._wait_s = wait_s
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a turn for all of the block. Raises NoTurnError."""
        if self._waiting >= self._waiting_max:
            raise NoTurnError
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise NoTurnError from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
