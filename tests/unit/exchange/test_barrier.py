"""Promises of exchange/log/barrier.py; the order service with it: tests/unit/order/test_denials.py."""

import asyncio

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import CommandOutcome, encode_commands
from exchange.contracts.commands import SettleWithdrawal
from exchange.log import barrier
from exchange.log.barrier import OutcomeBarrier


async def log_of(*sizes: int) -> MemoryLog:
    """A command log with records of so many commands."""
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for size in sizes:
        await writer.append(encode_commands([SettleWithdrawal(n + 1, 1) for n in range(size)]))
    return log


def decided(offset: int, index: int = 0) -> list[CommandOutcome]:
    return [CommandOutcome(offset, index, 1, 1, ())]


async def test_a_log_on_which_nothing_was_sent_contradicts_nothing() -> None:
    assert await OutcomeBarrier(await log_of()).is_passed()


async def test_who_has_seen_nothing_cannot_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barrier, "WAIT_MAX_S", 0.02)
    assert not await OutcomeBarrier(await log_of(1)).is_passed()


@pytest.mark.parametrize(
    ("place", "passes"), [((0, 0), False), ((1, 0), False), ((1, 1), False), ((1, 2), True), ((2, 0), True)]
)
async def test_the_last_command_of_the_last_record_counts(
    monkeypatch: pytest.MonkeyPatch, place: tuple[int, int], passes: bool
) -> None:
    monkeypatch.setattr(barrier, "WAIT_MAX_S", 0.02)
    tested = OutcomeBarrier(await log_of(2, 3))
    tested.saw(decided(*place))
    assert await tested.is_passed() is passes


async def test_what_is_sent_after_the_question_is_not_waited_for() -> None:
    log = await log_of(1)
    tested = OutcomeBarrier(log)
    asking = asyncio.create_task(tested.is_passed())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await (await log.writer()).append(encode_commands([SettleWithdrawal(1, 1)]))
    tested.saw(decided(0))
    assert await asking


async def test_older_outcomes_take_nothing_back() -> None:
    tested = OutcomeBarrier(await log_of(1, 1))
    tested.saw(decided(1))
    tested.saw(decided(0))
    tested.saw([])
    assert await tested.is_passed()
    await tested.close()
    assert await tested.is_passed()
