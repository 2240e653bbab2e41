"""Deadlines that cost nothing while they are kept: one timer for many waits, moved only when it fires.

`asyncio.timeout` makes a timer and a context for each wait and cancels both when all goes well, which on the
way of every record and every command is all that ever happens.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["Allowance", "Deadlines", "IdleTimer", "WaitTimer"]

# A timer fires up to so much early, by the clock's resolution.
_EARLY_S: Final = 0.001


class Allowance:
    """The time of a stretch of a task, as `with deadlines.allowance():`. Raises TimeoutError when it is over.

    As `asyncio.timeout`: whoever else cancels the task is heard too.
    """

    __slots__ = ("_cancelling", "_is_done", "_is_over", "_task")

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self._is_done = self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_done = True
        if (
            self._is_over
            and self._task.uncancel() <= self._cancelling
            and isinstance(error, asyncio.CancelledError)
        ):
            raise TimeoutError from error

    def done(self) -> bool:
        """Whether the stretch has been left."""
        return self._is_done

    def end(self) -> None:
        """Its time is over."""
        self._is_over = True
        self._task.cancel()


class Deadlines:
    """Futures and stretches of tasks that all have the same time: who is late gets a TimeoutError."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        # In the order of their deadlines; those at the left that are done are dropped by the next one.
        self._watched: deque[tuple[float, asyncio.Future[Any] | Allowance]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, future: "asyncio.Future[Any]") -> None:
        """Begin the time of a future of the running loop."""
        self._watch(future, future.get_loop())

    def allowance(self) -> Allowance:
        """Begin the time of what the running task does next."""
        task = asyncio.current_task()
        assert task is not None, "a task asks for time"
        allowed = Allowance(task)
        self._watch(allowed, task.get_loop())
        return allowed

    def _watch(self, waited: "asyncio.Future[Any] | Allowance", loop: asyncio.AbstractEventLoop) -> None:
        watched = self._watched
        while watched and watched[0][1].done():
            watched.popleft()
        watched.append((loop.time() + self._after_s, waited))
        if self._timer is None:
            self._timer = loop.call_later(self._after_s, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = loop.time() + _EARLY_S
        while self._watched:
            due_s, waited = self._watched[0]
            if not waited.done():
                if due_s > now_s:
                    self._timer = loop.call_at(due_s, self._fire, loop)
                    return
                if isinstance(waited, Allowance):
                    waited.end()
                else:
                    waited.set_exception(TimeoutError())
            self._watched.popleft()


class WaitTimer:
    """The timeout of one waiter who waits again and again: an expired wait gives False."""

    def __init__(self) -> None:
        self._future: asyncio.Future[bool] | None = None
        self._due_s = self._timer_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, future: "asyncio.Future[bool]", timeout_s: float) -> None:
        """Give `future` so much time. One at a time."""
        loop = future.get_loop()
        self._future = future
        self._due_s = loop.time() + timeout_s
        if self._timer is None or self._timer_s > self._due_s:
            self._set(loop)

    def end(self) -> None:
        """The wait is over. The timer stays, for the next one."""
        self._future = None

    def close(self) -> None:
        """No wait follows."""
        self._future = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = self._due_s
        self._timer = loop.call_at(self._due_s, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        future = self._future
        if future is None or future.done():
            return
        if self._due_s > loop.time() + _EARLY_S:
            self._set(loop)
        else:
            future.set_result(False)


class IdleTimer:
    """Calls `on_idle` once somebody has been idle for `after_s` at a stretch; who is busy moves no timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after_s: float, on_idle: Callable[[], None]) -> None:
        self._loop = loop
        self._after_s = after_s
        self._on_idle: Callable[[], None] | None = on_idle
        # Since when, None: busy.
        self._idle_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def rest(self) -> None:
        """Idle from now on."""
        self._idle_s = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._after_s, self._fire)

    def work(self) -> None:
        """Busy until the next `rest`. The timer stays, for then."""
        self._idle_s = None

    def close(self) -> None:
        """Nobody asks any more; whoever was to be called is let go."""
        self._idle_s = self._on_idle = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._idle_s is None or self._on_idle is None:
            return
        due_s = self._idle_s + self._after_s
        if due_s > self._loop.time() + _EARLY_S:
            self._timer = self._loop.call_at(due_s, self._fire)
        else:
            self._idle_s = None
            self._on_idle()
