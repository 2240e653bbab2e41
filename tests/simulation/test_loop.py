"""The simulator itself: virtual time, one seed one interleaving, death that is final."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.world import run_seed

ROOT = Path(__file__).resolve().parents[2]
SEED = 7
PRINT_HASH = f"from tests.simulation.world import run_seed; print(run_seed({SEED}).trace_hash)"


def test_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    first, again, other = run_seed(SEED), run_seed(SEED), run_seed(SEED + 1)
    assert first == again
    assert first.trace_hash != other.trace_hash


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
@pytest.mark.slow
def test_trace_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASH],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == run_seed(SEED).trace_hash, done.stderr


def test_an_hour_of_sleep_takes_no_time() -> None:
    loop = SimulatedLoop.seeded("hour")
    woken: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(3_600)
        woken.append(loop.time())

    loop.start(None, sleep())
    assert loop.run(lambda: bool(woken), 4_000, 1_000)
    loop.close()
    assert woken[0] >= 3_600


def test_ready_tasks_run_in_every_order() -> None:
    orders = set()
    for seed in range(100):
        order: list[int] = []
        loop = SimulatedLoop.seeded(str(seed))

        async def add(number: int, order: list[int] = order) -> None:
            order.append(number)

        for number in range(3):
            loop.start(None, add(number))
        loop.run(lambda order=order: len(order) == 3, 1, 100)  # type: ignore[misc]
        loop.close()
        orders.add(tuple(order))
    assert len(orders) == 6


def test_killed_process_does_nothing_more_not_even_its_finally_blocks() -> None:
    loop, done = SimulatedLoop.seeded("kill"), []

    async def work() -> None:
        try:
            await asyncio.sleep(1)
            done.append("worked")
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    process = Process("victim")
    loop.start(process, work())
    loop.outside(0.5, setattr, process, "alive", False)
    loop.outside(2.0, done.append, "later")
    assert loop.run(lambda: bool(done), 10, 100)
    loop.close()
    assert done == ["later"]


def test_paused_process_goes_on_where_it_was() -> None:
    loop, done = SimulatedLoop.seeded("pause"), []

    async def work() -> None:
        await asyncio.sleep(1)
        done.append(loop.time())

    process = Process("sleeper")
    loop.start(process, work())
    loop.outside(0.5, setattr, process, "paused", True)
    loop.outside(3.0, loop.resume, process)
    assert loop.run(lambda: bool(done), 10, 100)
    loop.close()
    assert done[0] >= 3


def test_sockets_and_subprocesses_are_refused() -> None:
    loop, problems = SimulatedLoop.seeded("sockets"), []

    async def connect() -> None:
        try:
            await asyncio.open_connection("127.0.0.1", 9)
        except NotImplementedError as error:
            problems.append(error)

    loop.start(None, connect())
    assert loop.run(lambda: bool(problems), 10, 100)
    loop.close()
