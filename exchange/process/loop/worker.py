"""One thread for one kind of blocking work, in order: a log's writes.

`asyncio.to_thread` costs more than a small write does (a copied context, two futures and a pool's queue), and
a thread of the pool that hangs on its disk keeps the interpreter from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar, cast

__all__ = ["WorkerThread"]

_T = TypeVar("_T")
_Job: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class WorkerThread:
    """Runs one call after another in a thread of its own; belongs to the loop that calls `run`."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Callable[..., _T], *arguments: object) -> "asyncio.Future[_T]":
        """Begin behind what was begun before; the future has its result, or what it raised."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put((work, arguments, cast("asyncio.Future[Any]", future)))
        return future

    def close(self) -> None:
        """End behind what was begun; waits for nothing."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, arguments, future = job
            try:
                result, error = work(*arguments), None
            except BaseException as raised:
                result, error = None, raised
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                return  # The loop has ended, and nobody waits any more.
            del job, work, arguments, future, result, error


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
