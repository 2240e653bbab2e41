"""Promises of exchange/process/patience.py: for ever, or until its owner gives up; in words, and counted."""

import asyncio
import gc
import logging

import pytest
from prometheus_client import CollectorRegistry, Counter
from tenacity import stop_after_attempt, stop_after_delay

from exchange.process.patience import PASSING_ATTEMPTS, Patience


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.process.patience.WAIT_S_MAX", 0.001)


async def work(patience: Patience, errors: list[BaseException]) -> list[str | None]:
    """Fail with each of the errors, then work; the problem as each attempt finds it."""
    problems = []
    async for attempt in patience.attempts():
        with attempt:
            problems.append(patience.problem)
            if errors:
                raise errors.pop(0)
            patience.worked()
    return problems


async def test_given_errors_are_tried_again_told_and_counted() -> None:
    registry = CollectorRegistry()
    failures_total = Counter("failures_total", "Failures.", registry=registry)
    patience = Patience("part", (OSError, ValueError), failures_total)
    problems = await work(patience, [ConnectionError("away"), ValueError("odd")])
    assert problems == ["not started", "ConnectionError: away", "ValueError: odd"]
    assert patience.problem is None
    assert registry.get_sample_value("failures_total") == 2
    assert await work(patience, [OSError("again")] * 30) == [None, *["OSError: again"] * 30]


async def test_other_errors_are_raised_at_once() -> None:
    with pytest.raises(KeyError):
        await work(Patience("part", (OSError,)), [KeyError("a mistake")])


async def test_who_gives_up_gets_the_last_error_and_counts_anew_after_success() -> None:
    patience = Patience("part", (OSError,), give_up=stop_after_attempt(3))
    for _ in range(2):
        await work(patience, [OSError(1), OSError(2)])
    with pytest.raises(OSError, match="3"):
        await work(patience, [OSError(1), OSError(2), OSError(3)])


async def test_an_attempt_that_works_leaves_nothing_to_the_cyclic_collector() -> None:
    patience = Patience("part", (OSError,))
    await work(patience, [])
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            await work(patience, [])
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_who_gives_up_after_a_time_counts_from_the_first_attempt() -> None:
    patience = Patience("part", (OSError,), give_up=stop_after_delay(0))
    with pytest.raises(OSError, match="1"):
        await work(patience, [OSError(1)])


async def test_a_cancelled_attempt_is_not_tried_again() -> None:
    errors: list[BaseException] = [asyncio.CancelledError(), OSError("never reached")]
    with pytest.raises(asyncio.CancelledError):
        await work(Patience("part", (OSError,)), errors)
    assert len(errors) == 1


async def test_what_every_start_brings_with_it_is_no_warning_until_it_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patience = Patience("part", (OSError, ValueError), passing=(ValueError,))
    with caplog.at_level(logging.INFO):
        await work(patience, [ValueError("no name yet")] * (PASSING_ATTEMPTS + 1) + [OSError("away")])
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.INFO] * PASSING_ATTEMPTS + [logging.WARNING] * 2
