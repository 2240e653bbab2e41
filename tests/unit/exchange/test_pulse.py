"""Promises of exchange/process/loop: a process counts its pauses, and settles its heap once started."""

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from exchange.process.components import Component, run_components
from exchange.process.frame import run_until_signal
from exchange.process.loop import pulse
from exchange.process.loop.attended import AttendedClock
from exchange.process.loop.heap import SETTLED, STARTING, settle_heap
from exchange.process.loop.pulse import Longest, attended_s, beating, settle_process

ROOT = Path(__file__).parents[3]
STALL_S = 0.12


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture(autouse=True)
def fresh_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of other tests have used up nothing."""
    monkeypatch.setattr(pulse, "_clock", AttendedClock(time.monotonic))


@pytest.fixture
def heap() -> Iterator[None]:
    """The collector as it was, afterwards."""
    before = gc.get_threshold()
    gc.unfreeze()  # what tests/conftest.py has settled
    yield
    gc.set_threshold(*before)
    gc.freeze()


async def test_a_pause_is_told_and_is_no_time_of_others() -> None:
    with beating():
        await asyncio.sleep(0.05)
        started_s, wall_s = attended_s(), time.monotonic()
        beats = metric("exchange_loop_lag_seconds_count")
        time.sleep(STALL_S)  # noqa: ASYNC251  this is the pause
        assert attended_s() - started_s < time.monotonic() - wall_s - STALL_S / 2
        await asyncio.sleep(0.05)
        assert metric("exchange_loop_longest_callback_seconds") >= STALL_S / 2
        assert metric("exchange_loop_lag_seconds_count") > beats


async def test_how_long_a_start_took_is_forgotten(heap: None) -> None:
    with beating():
        await asyncio.sleep(0.02)
        time.sleep(STALL_S)  # noqa: ASYNC251  this is the start
        assert pulse._pulse is not None
        await asyncio.sleep(0.02)
        assert metric("exchange_loop_longest_callback_seconds") >= STALL_S / 2
        settle_process()
        assert pulse._pulse._longest_lag.saw(0.0, asyncio.get_running_loop().time()) == 0.0
        assert gc.get_freeze_count() > 1_000


async def test_collections_are_counted() -> None:
    with beating():
        before = metric("exchange_collector_seconds_total", generation="full")
        gc.collect()
        await asyncio.sleep(0.05)
        took_s = metric("exchange_collector_seconds_total", generation="full") - before
        assert took_s > 0
        assert metric("exchange_collector_longest_seconds") >= took_s
    assert not [callback for callback in gc.callbacks if "pulse" in type(callback).__module__]


def test_every_process_has_a_pulse() -> None:
    seen: list[float] = []

    async def main() -> None:
        before = metric("exchange_loop_lag_seconds_count")
        await asyncio.sleep(0.05)
        seen.append(metric("exchange_loop_lag_seconds_count") - before)

    assert run_until_signal(main()) == 0
    assert seen[0] > 0


def test_the_collector_is_quiet_from_the_start_on(heap: None) -> None:
    """A recovery makes millions of objects that stay: 8 % of a replay were young collections."""
    seen: list[tuple[int, int, int]] = []

    async def main() -> None:
        seen.append(gc.get_threshold())

    gc.set_threshold(700, 10, 10)
    assert run_until_signal(main()) == 0
    assert seen == [STARTING]


class Part:
    name = "part"

    async def start(self) -> None:
        return None

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        return None

    def readiness(self) -> dict[str, str | None]:
        return {}


async def test_the_heap_is_settled_when_all_have_started(heap: None) -> None:
    settled = asyncio.Event()

    def settle() -> None:
        settle_heap()
        settled.set()

    parts: list[Component] = [Part()]
    running = asyncio.create_task(run_components(parts, settle))
    await settled.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == SETTLED


def test_no_look_of_a_process_at_work_is_long(heap: None) -> None:
    """100,000 objects that stay: young and middle looks see a few thousand at a time, full ones never come.

    With 20,000 and 400,000 objects a look they were 203 ms of p99.
    """
    settle_heap()
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def look(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            looked_at = range(told["generation"] + 1)
            seen[told["generation"]].append(sum(len(gc.get_objects(older)) for older in looked_at))

    gc.callbacks.append(look)
    try:
        kept = [[number] for number in range(100_000)]
    finally:
        gc.callbacks.remove(look)
    assert len(kept) == 100_000
    assert seen[0]
    assert seen[1]
    assert max(seen[0]) <= 2_000
    assert max(seen[1]) <= 12_000
    assert not seen[2]
    assert SETTLED.objects * SETTLED.young * SETTLED.middle == 20_000_000


def test_whoever_runs_components_settles_the_heap() -> None:
    """One process, one place: `serve`, or the embedded exchange. Thresholds stand nowhere else."""
    callers, setters = set(), set()
    for top in ("exchange", "local", "matching_engine", "services"):
        for path in (ROOT / top).rglob("*.py"):
            source = path.read_text("utf-8")
            name = path.relative_to(ROOT).as_posix()
            if "await run_components(" in source:
                assert "settle_process)" in source, name
                callers.add(name)
            if "gc.set_threshold(" in source or "gc.freeze(" in source:
                setters.add(name)
    assert callers == {"exchange/http/server.py", "local/embedded.py", "local/far_side/__main__.py"}
    assert setters == {"exchange/process/loop/heap.py"}


def test_every_service_is_served_by_it() -> None:
    mains = [*(ROOT / "services").glob("*/main.py"), ROOT / "matching_engine" / "main.py"]
    jobs = {"audit_log", "data_keys", "operator", "rebuild", "topics"}
    for path in mains:
        assert path.parent.name in jobs or "await serve(" in path.read_text("utf-8"), path


def test_the_longest_is_kept_for_a_window_and_forgotten_after_two() -> None:
    longest = Longest()
    assert longest.saw(0.5, 1_000.0) == 0.5
    assert longest.saw(0.1, 1_059.0) == 0.5
    assert longest.saw(0.1, 1_061.0) == 0.5
    assert longest.saw(0.2, 1_122.0) == 0.2
    assert longest.saw(0.1, 2_000.0) == 0.1
