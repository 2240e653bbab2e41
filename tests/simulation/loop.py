"""An event loop with virtual time whose order of ready callbacks is chosen by a seeded generator.

Nothing sleeps, no socket and no thread exists: who asks for one gets an error. Every callback belongs
to the simulated process in whose context it was scheduled, so that a process can be killed (its
callbacks never run again) or paused (they wait). One seed gives one exact interleaving: tasks and
futures are hashed by number, because asyncio keeps them in sets, whose order would follow addresses.
"""

import asyncio
import contextlib
import contextvars
import hashlib
import heapq
import random
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Self, TypeVar, TypeVarTuple

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

__all__ = ["PROCESS", "Process", "SimulatedLoop", "patched"]

_STEP_S_MAX = 20e-6
"""What one callback may cost, so that no busy loop stands still in time."""
_TRACE_KEPT = 50
_CLOSE_TRIES = 100


class Process:
    """A set of tasks that live and die together. Adapters ask `alive` before they touch the world."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.held: list[tuple[asyncio.Handle, Process | None]] = []
        self.tasks: list[asyncio.Task[Any]] = []


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("simulated process", default=None)


class _Numbered:
    number: int

    def __hash__(self) -> int:
        return self.number


class _Task(_Numbered, asyncio.Task):  # type: ignore[type-arg]
    def __init__(self, coroutine: Any, number: int, **options: Any) -> None:
        self.number = number
        super().__init__(coroutine, **options)


class _Future(_Numbered, asyncio.Future):  # type: ignore[type-arg]
    def __init__(self, number: int, loop: "SimulatedLoop") -> None:
        self.number = number
        super().__init__(loop=loop)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The loop of one seed. What it does not define raises NotImplementedError: sockets, pipes, signals."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(f"{seed}/schedule")
        self._now_s = 0.0
        self._ready: list[tuple[asyncio.Handle, Process | None]] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._running = False
        self._closed = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._digest = hashlib.blake2b(digest_size=16)
        self._trace: deque[tuple[float, str, str]] = deque(maxlen=_TRACE_KEPT)
        self._outside = contextvars.copy_context()
        self.steps = 0
        self.after_step: Callable[[], None] | None = None

    @classmethod
    def seeded(cls, seed: str) -> Self:
        """A loop for this seed. Typeshed calls all that it leaves out abstract; Python does not."""
        return cls(seed)

    # -- the trace ------------------------------------------------------------------------------

    def note(self, who: str, what: str) -> None:
        """Put something into the trace."""
        self._trace.append((self._now_s, who, what))
        self._digest.update(f"{self._now_s:.6f} {who} {what}\n".encode())

    @property
    def trace_hash(self) -> str:
        """Of everything that has happened so far."""
        return self._digest.hexdigest()

    @property
    def trace(self) -> list[str]:
        """The last steps in words."""
        return [f"{when:12.6f} {who:<12} {what}" for when, who, what in self._trace]

    # -- running --------------------------------------------------------------------------------

    def run(self, stop: Callable[[], bool], deadline_s: float, steps_max: int) -> bool:
        """Step until `stop()`; False when virtual time passed the deadline or the steps ran out."""
        self._running = True
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        try:
            while not stop():
                if self._now_s >= deadline_s or self.steps >= steps_max or not self._step():
                    return False
            return True
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self._running = False

    def _step(self) -> bool:
        """Run one callback, or let time pass to the next timer. False when nothing is left to do."""
        timers = self._timers
        while timers and timers[0][0] <= self._now_s:
            self._make_ready(heapq.heappop(timers)[2])
        ready = self._ready
        if not ready:
            if not timers:
                return False
            self._now_s = max(self._now_s, timers[0][0])
            return True
        index = int(self._random.random() * len(ready))
        handle, process = ready[index]
        ready[index] = ready[-1]
        ready.pop()
        if handle.cancelled():
            return True
        if process is not None and not process.alive:
            return True
        if process is not None and process.paused:
            process.held.append((handle, process))
            return True
        self.steps += 1
        self._now_s += self._random.random() * _STEP_S_MAX
        self.note(process.name if process is not None else "world", _described(handle))
        handle._run()
        if self.after_step is not None:
            self.after_step()
        return True

    def _make_ready(self, handle: asyncio.TimerHandle) -> None:
        if not handle.cancelled():
            self._ready.append((handle, handle._context.get(PROCESS)))  # type: ignore[attr-defined]

    # -- processes ------------------------------------------------------------------------------

    def start(self, process: Process | None, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a process, or as a part of the world (None)."""
        context = self._outside.copy()
        context.run(PROCESS.set, process)
        return self.create_task(main, context=context)

    def resume(self, process: Process) -> None:
        """Let a paused process go on, with everything that became due meanwhile."""
        process.paused = False
        self._ready += process.held
        process.held = []

    def outside_context(self) -> contextvars.Context:
        """The world's own context, for callbacks that must run whatever happens to a process."""
        return self._outside

    def outside(self, delay_s: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call later as the world: whatever happens to the process that asked for it."""
        self.call_later(delay_s, callback, *arguments, context=self._outside)

    # -- what asyncio asks of a loop --------------------------------------------------------------

    def time(self) -> float:
        return self._now_s

    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        if not self._closed:
            self._ready.append((handle, context.get(PROCESS)))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self._closed:
            heapq.heappush(self._timers, (when, self._next_number(), handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return _Future(self._next_number(), self)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        number = self._next_number()
        if options.get("name") is None:
            options["name"] = getattr(coro, "__qualname__", "task")
        task = _Task(coro, number, loop=self, **options)
        process = PROCESS.get() if options.get("context") is None else options["context"].get(PROCESS)
        # Kept alive: a task that nobody holds would be closed by the garbage collector at its own time.
        self._tasks.append(task)
        if process is not None:
            process.tasks.append(task)
        return task

    def run_in_executor(
        self,
        executor: object,
        func: Callable[[*_Arguments], _Result],
        *args: *_Arguments,
    ) -> "asyncio.Future[_Result]":
        """Inline: what a thread would do happens at once."""
        future: asyncio.Future[_Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A task that failed unseen: whoever awaits it tells, or it was killed with its process."""

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Dropped when its time comes."""

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def close(self) -> None:
        """Let go of every task, each wherever it stands. Nothing is scheduled any more."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        asyncio._set_running_loop(self)
        try:
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                if not task.done():
                    _close(task.get_coro())
        finally:
            asyncio._set_running_loop(None)
        self._tasks.clear()


def _close(coroutine: Any) -> None:
    """Unwind a coroutine, also one that awaits in its finally-blocks."""
    for _ in range(_CLOSE_TRIES):
        with contextlib.suppress(BaseException):
            coroutine.close()
            return


def _described(handle: asyncio.Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    return getattr(callback, "__qualname__", None) or type(callback).__name__


@contextlib.contextmanager
def patched(target: Any, **names: Any) -> Generator[None, None, None]:
    """Replace attributes of a module or class for a while."""
    before = {name: target.__dict__[name] for name in names}
    for name, value in names.items():
        setattr(target, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)
