"""A call of a simulated process to a server: two ways that can fail apart from each other."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tests.simulation.faults import Faults
from tests.simulation.loop import Process, SimulatedLoop

__all__ = ["Wires", "ask", "reach", "sleep_for_ever"]

T = TypeVar("T")


class Wires(Protocol):
    """What calls need of the world."""

    loop: SimulatedLoop
    faults: Faults

    def crash_soon(self, process: Process, within_s: float) -> None:
        """Kill the process some time within."""
        ...


async def sleep_for_ever() -> Any:
    """What a call of a dead process does."""
    await asyncio.get_running_loop().create_future()


async def reach(
    wires: Wires, process: Process, effect: Callable[[], T], *, error: type[Exception], deadline_s: float
) -> T:
    """Have `effect` happen at a server, and bring its answer back.

    It may be refused, lost on the way there, happen long after the deadline or the process's death, or
    happen and lose its answer. What `effect` raises is the server's answer too.
    """
    if not process.alive:
        await sleep_for_ever()
    faults, loop = wires.faults, wires.loop
    answer: asyncio.Future[T] = loop.create_future()
    is_lost = faults.happens(faults.lost)
    is_silent = faults.happens(faults.unacknowledged)
    if faults.happens(faults.refused):
        await asyncio.sleep(faults.delay_s())
        raise error("refused")

    def land() -> None:
        if is_lost:
            return
        try:
            result = effect()
        except Exception as problem:
            loop.outside(faults.delay_s(), _fail, answer, problem)
            return
        if not is_silent:
            loop.outside(faults.delay_s(), _answer, answer, result)

    under_way_s = faults.landing_s()
    if faults.happens(faults.crash_in_call):
        wires.crash_soon(process, under_way_s * 2)
    loop.outside(under_way_s, land)
    try:
        async with asyncio.timeout(deadline_s):
            return await answer
    except TimeoutError:
        raise error("no answer within the deadline") from None


async def ask(wires: Wires, process: Process, question: Callable[[], T], *, error: type[Exception]) -> T:
    """Have a question answered that changes nothing."""
    if not process.alive:
        await sleep_for_ever()
    await asyncio.sleep(wires.faults.delay_s())
    if wires.faults.happens(wires.faults.read_error):
        raise error("refused")
    result = question()
    await asyncio.sleep(wires.faults.delay_s())
    return result


def _answer(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: "asyncio.Future[T]", problem: Exception) -> None:
    if not answer.done():
        answer.set_exception(problem)
        answer.exception()  # Retrieved: the caller may be gone.
