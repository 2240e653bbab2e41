"""Promises of exchange/process/loop/deadlines.py and worker.py: they end as a timer and a thread each."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVarTuple, cast
from unittest.mock import Mock

import pytest

from exchange.process.loop.deadlines import Deadlines, IdleTimer, WaitTimer
from exchange.process.loop.worker import WorkerThread

_Arguments = TypeVarTuple("_Arguments")


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are made."""

    timers = 0

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


class SetLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is put forward by hand."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    async def comes_to(self, now_s: float) -> None:
        """Put the clock forward and let happen what is due."""
        self.now_s = now_s
        for _ in range(3):
            await asyncio.sleep(0)


def test_what_is_not_done_in_time_gets_a_timeout_and_the_rest_nothing() -> None:
    loop = SetLoop()

    async def work() -> None:
        deadlines = Deadlines(0.03)
        late, done, cancelled = (loop.create_future() for _ in range(3))
        for future in (done, late, cancelled):
            deadlines.watch(future)
        done.set_result("in time")
        cancelled.cancel()
        await loop.comes_to(0.015)
        later = loop.create_future()
        deadlines.watch(later)
        await loop.comes_to(0.028)
        assert not late.done(), "some time is left"
        await loop.comes_to(0.031)
        with pytest.raises(TimeoutError):
            late.result()
        assert await done == "in time"
        assert not later.done(), "its own time has just begun"
        await loop.comes_to(0.046)
        with pytest.raises(TimeoutError):
            later.result()

    loop.run_until_complete(work())
    loop.close()


def test_a_thousand_waits_that_end_well_make_a_timer_or_two() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        deadlines, timer = Deadlines(60.0), WaitTimer()
        for _ in range(1_000):
            future, read = loop.create_future(), loop.create_future()
            deadlines.watch(future)
            timer.begin(read, 60.0)
            future.set_result(None)
            read.set_result(True)
            timer.end()
        assert len(deadlines._watched) == 1, "what is done is forgotten"
        timer.close()

    loop = CountingLoop()
    loop.run_until_complete(work())
    loop.close()
    assert loop.timers == 2


async def test_a_wait_gives_false_when_its_own_time_is_over() -> None:
    loop = asyncio.get_running_loop()
    timer = WaitTimer()
    first = loop.create_future()
    timer.begin(first, 0.04)
    first.set_result(True)
    timer.end()
    second = loop.create_future()
    timer.begin(second, 0.08)
    assert await second is False
    third = loop.create_future()
    timer.begin(third, 60.0)
    shorter = loop.create_future()
    timer.begin(shorter, 0.01)
    assert await shorter is False
    assert not third.done()
    timer.close()


async def test_one_thread_does_one_after_the_other_and_tells_what_was_raised() -> None:
    worker = WorkerThread("test writer")
    seen: list[tuple[int, str]] = []

    def work(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        if number == 3:
            raise OSError("full")
        return number * 2

    futures = [worker.run(work, number) for number in range(5)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    worker.close()
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    assert {name for _, name in seen} == {"test writer"}
    assert results[:3] == [0, 2, 4]
    assert isinstance(results[3], OSError)


async def test_who_no_longer_waits_is_no_error() -> None:
    worker = WorkerThread("test writer")
    gate = threading.Event()
    first = worker.run(gate.wait, 5)
    second = worker.run(lambda: 1)
    first.cancel()
    gate.set()
    assert await second == 1
    worker.close()


def test_a_thousand_requests_of_a_connection_make_one_timer() -> None:
    async def work() -> None:
        idle = IdleTimer(asyncio.get_running_loop(), 60.0, lambda: None)
        for _ in range(1_000):
            idle.rest()
            idle.work()
        idle.close()

    loop = CountingLoop()
    loop.run_until_complete(work())
    loop.close()
    assert loop.timers == 1


class HandLoop:
    """As much of a loop as a timer needs, with a clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Mock:
        return self.call_at(self.now_s + delay_s, call)

    def call_at(self, due_s: float, call: Callable[[], None]) -> Mock:
        entry = (due_s, call)
        self._due.append(entry)
        return Mock(cancel=lambda: self._due.remove(entry))

    def put_forward(self, to_s: float) -> None:
        self.now_s = to_s
        for entry in [entry for entry in self._due if entry[0] <= to_s]:
            self._due.remove(entry)
            entry[1]()


def test_who_is_idle_for_long_is_told_and_who_works_or_has_gone_is_not() -> None:
    loop, told = HandLoop(), list[str]()
    timers = {
        name: IdleTimer(cast(asyncio.AbstractEventLoop, loop), 30.0, partial(told.append, name))
        for name in ("idle", "busy", "gone", "rests late")
    }
    for timer in timers.values():
        timer.rest()
    timers["busy"].work()
    timers["gone"].close()
    loop.put_forward(15.0)
    timers["rests late"].rest()
    loop.put_forward(29.0)
    assert told == []
    loop.put_forward(31.0)
    assert told == ["idle"], "the others work, have gone, or have rested for less"
    loop.put_forward(44.0)
    assert told == ["idle"]
    loop.put_forward(46.0)
    assert told == ["idle", "rests late"]
