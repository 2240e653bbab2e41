"""Calls that block, in a few threads of their own: a bounded queue, a deadline for each call."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["BoundedThreads", "NotTakenError"]

_T = TypeVar("_T")


class NotTakenError(Exception):
    """A call was not begun, because too many wait or the threads are gone; says which."""


class BoundedThreads:
    """`threads` run at once; at most `calls_max` are under way or wait."""

    def __init__(self, name: str, *, threads: int, calls_max: int) -> None:
        self._calls_max = calls_max
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(calls_max)

    async def run(self, work: Callable[[], _T], deadline_s: float) -> _T:
        """Run `work()` in a thread and pass on what it returns or raises.

        Raises NotTakenError; TimeoutError after `deadline_s`, when nobody waits for it any more but the
        call itself goes on.
        """
        if not self._places.acquire(blocking=False):
            raise NotTakenError(f"more than {self._calls_max} calls are waiting")
        try:
            future = self._pool.submit(work)
        except RuntimeError as error:
            self._places.release()
            raise NotTakenError("closed") from error
        # Not before the thread is done: whoever stopped waiting has not freed it.
        future.add_done_callback(self._leave)
        async with asyncio.timeout(deadline_s):
            return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits, without waiting for what is under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: "Future[Any]") -> None:
        self._places.release()
