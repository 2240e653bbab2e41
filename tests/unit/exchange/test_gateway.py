"""Promises of exchange/log/gateway.py: what a caller is told, and when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from exchange.contracts.codec import CommandOutcome, decode_commands
from exchange.contracts.commands import SettleWithdrawal
from exchange.log import gateway as gateway_module
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
    run_and_settle,
)
from exchange.ports.world import LogError


class Writer:
    """Keeps records; fails or hangs when told to."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.error: LogError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, value: bytes) -> int:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.records.append(value)
        return len(self.records) - 1

    async def close(self) -> None:
        return None


@asynccontextmanager
async def running(
    writer: Writer, *, tick_ms: int = 1, deadline_ms: int = 5_000, waiting_max: int = 100
) -> AsyncIterator[CommandGateway]:
    gateway = CommandGateway(writer, tick_ms=tick_ms, deadline_ms=deadline_ms, waiting_max=waiting_max)
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LogError):
            await task


def outcome(command_id: int) -> CommandOutcome:
    return CommandOutcome(0, 0, command_id, 1, ())


async def sent(writer: Writer, count: int) -> list[int]:
    """Ids of the first `count` commands on the log."""
    while True:
        ids = [c.command_id for value in writer.records for c in decode_commands(value)]
        if len(ids) >= count:
            return ids
        await asyncio.sleep(0.001)


async def test_each_caller_gets_its_own_outcome_whatever_the_order() -> None:
    writer = Writer()
    async with running(writer) as gateway:
        calls = [asyncio.create_task(gateway.submit(SettleWithdrawal(i, 1))) for i in (1, 2, 3)]
        assert await sent(writer, 3) == [1, 2, 3]
        gateway.resolve([outcome(3), outcome(99), outcome(1), outcome(1), outcome(2)])
        assert [(await call).command_id for call in calls] == [1, 2, 3]
        assert gateway.waiting == 0


async def test_commands_of_one_tick_share_a_record() -> None:
    writer = Writer()
    async with running(writer, tick_ms=20) as gateway:
        calls = [asyncio.create_task(gateway.submit(SettleWithdrawal(i, 1))) for i in range(1, 51)]
        await sent(writer, 50)
        gateway.resolve(outcome(i) for i in range(1, 51))
        await asyncio.gather(*calls)
    assert len(writer.records) == 1


class Ticks:
    """In the place of `asyncio.sleep`: how many ticks were waited, and who joins in each of them."""

    def __init__(self, joining: list[int]) -> None:
        self.waited: list[float] = []
        self.gateway: CommandGateway
        self._joining = iter(joining)
        self._ids = iter(range(1, 1_000))
        self.calls: list[asyncio.Task[CommandOutcome]] = []
        self._turn = asyncio.sleep

    def submit(self) -> None:
        self.calls.append(asyncio.create_task(self.gateway.submit(SettleWithdrawal(next(self._ids), 1))))

    async def __call__(self, delay_s: float) -> None:
        if delay_s:
            self.waited.append(delay_s)
            for _ in range(next(self._joining)):
                self.submit()
        await self._turn(0)


@pytest.mark.parametrize(
    ("joining", "ticks"),
    [
        ([0], 1),  # alone: nobody waits for anybody
        ([1, 0], 2),
        ([1, 1, 1, 1, 9, 9], 4),  # as long as it may
        ([2, 30, 9], 2),  # enough to share what a record costs
    ],
)
async def test_a_record_waits_while_others_join_and_not_for_ever(
    joining: list[int], ticks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, clock = Writer(), Ticks([*joining, 0])
    gateway = CommandGateway(writer, tick_ms=2, tick_ms_max=8, deadline_ms=5_000)
    clock.gateway = gateway
    monkeypatch.setattr(asyncio, "sleep", clock)
    task = asyncio.create_task(gateway.run())
    clock.submit()
    while not writer.records:
        await clock(0)
    assert clock.waited == [0.002] * ticks
    assert len(decode_commands(writer.records[0])) == 1 + sum(joining[:ticks])
    gateway.close(LogError("the test is over"))
    task.cancel()
    await asyncio.gather(task, *clock.calls, return_exceptions=True)


async def test_what_came_while_the_log_took_a_record_waits_for_company_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer, clock = Writer(), Ticks([0, 2, 1, 0])
    gateway = CommandGateway(writer, tick_ms=2, tick_ms_max=8, deadline_ms=5_000)
    clock.gateway = gateway
    monkeypatch.setattr(asyncio, "sleep", clock)
    task = asyncio.create_task(gateway.run())
    writer.gate.clear()
    clock.submit()
    while not clock.waited:
        await clock(0)
    clock.submit()  # the log is taking the first one
    writer.gate.set()
    while len(writer.records) < 2:
        await clock(0)
    # Alone; then one that came meanwhile, two in its tick, one in the next, none in the third.
    assert [len(decode_commands(record)) for record in writer.records] == [1, 4]
    assert len(clock.waited) == 1 + 3
    gateway.close(LogError("the test is over"))
    task.cancel()
    await asyncio.gather(task, *clock.calls, return_exceptions=True)


async def test_ids_are_positive_and_never_repeat() -> None:
    gateway = CommandGateway(Writer(), tick_ms=1, deadline_ms=1)
    ids = [gateway.new_command_id() for _ in range(10_000)]
    assert len(set(ids)) == 10_000
    assert all(0 < i < 2**63 for i in ids)


async def test_no_outcome_within_the_deadline_is_unknown() -> None:
    writer = Writer()
    async with running(writer, deadline_ms=30) as gateway:
        with pytest.raises(OutcomeUnknownError, match="deadline"):
            await gateway.submit(SettleWithdrawal(1, 1))
        assert gateway.waiting == 0
        gateway.resolve([outcome(1)])  # a late outcome finds nobody and harms nobody
        assert gateway.failure is None


async def test_deadline_also_bounds_a_log_that_hangs() -> None:
    writer = Writer()
    writer.gate.clear()
    async with running(writer, deadline_ms=30) as gateway:
        with pytest.raises(OutcomeUnknownError):
            await gateway.submit(SettleWithdrawal(1, 1))


async def test_too_many_waiting_commands_are_refused_before_anything_is_sent() -> None:
    writer = Writer()
    async with running(writer, waiting_max=2) as gateway:
        calls = [asyncio.create_task(gateway.submit(SettleWithdrawal(i, 1))) for i in (1, 2)]
        await sent(writer, 2)
        with pytest.raises(GatewayOverloadedError):
            await gateway.submit(SettleWithdrawal(3, 1))
        gateway.resolve([outcome(1), outcome(2)])
        await asyncio.gather(*calls)
        assert await sent(writer, 2) == [1, 2]


async def test_failed_append_leaves_waiting_callers_unknown_and_refuses_all_later_ones() -> None:
    writer = Writer()
    writer.error = LogError("disk full")
    gateway = CommandGateway(writer, tick_ms=1, deadline_ms=5_000)
    task = asyncio.create_task(gateway.run())
    with pytest.raises(OutcomeUnknownError, match="disk full"):
        await gateway.submit(SettleWithdrawal(1, 1))
    with pytest.raises(LogError):  # ends the process
        await task
    writer.error = None
    with pytest.raises(GatewayUnavailableError, match="disk full"):
        await gateway.submit(SettleWithdrawal(2, 1))
    assert writer.records == []


async def test_caller_that_goes_away_leaves_nothing_behind() -> None:
    writer = Writer()
    async with running(writer) as gateway:
        call = asyncio.create_task(gateway.submit(SettleWithdrawal(1, 1)))
        await sent(writer, 1)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        assert gateway.waiting == 0
        gateway.resolve([outcome(1)])


async def test_who_waits_when_the_process_ends_is_told_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not left to hang until the port cuts the connection off: the answer is -1007."""
    monkeypatch.setattr(gateway_module, "_SETTLE_DEADLINE_S", 0.05)
    gateway = CommandGateway(Writer(), tick_ms=1, deadline_ms=60_000)
    working = asyncio.create_task(run_and_settle(gateway, gateway.run()))
    await asyncio.sleep(0)
    call = asyncio.create_task(gateway.submit(SettleWithdrawal(1, 1)))
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(OutcomeUnknownError, match="the process ends"):
        await call
    with pytest.raises(asyncio.CancelledError):
        await working
    with pytest.raises(GatewayUnavailableError):
        await gateway.submit(SettleWithdrawal(2, 1))


async def test_an_engine_that_stands_still_gets_one_new_command_at_a_time_and_a_few_cancels() -> None:
    now_s = 0.0
    gateway = CommandGateway(Writer(), tick_ms=0, deadline_ms=10_000, clock_s=lambda: now_s)
    waiting = [asyncio.create_task(gateway.submit(SettleWithdrawal(n, n))) for n in range(1, 4)]
    await asyncio.sleep(0)
    now_s = 10.0
    gateway.admit()
    waiting.append(asyncio.create_task(gateway.submit(SettleWithdrawal(4, 4))))
    await asyncio.sleep(0)
    with pytest.raises(GatewayOverloadedError):
        gateway.admit()
    for number in range(5, 68):
        gateway.admit(urgent=True)
        waiting.append(asyncio.create_task(gateway.submit(SettleWithdrawal(number, number), urgent=True)))
        await asyncio.sleep(0)
    with pytest.raises(GatewayOverloadedError):
        gateway.admit(urgent=True)
    gateway.resolve([outcome(99)])
    gateway.admit()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_flushed_waits_for_what_was_submitted_before_and_for_nothing_else() -> None:
    writer = Writer()
    async with running(writer) as gateway:
        assert await gateway.is_flushed()
        writer.gate.clear()
        task = asyncio.create_task(gateway.submit(SettleWithdrawal(1, 1)))
        await asyncio.sleep(0)
        flushed = asyncio.create_task(gateway.is_flushed())
        await asyncio.sleep(0.01)
        assert not flushed.done()
        writer.gate.set()
        assert await flushed
        gateway.resolve([outcome(1)])
        await task


async def test_a_log_that_failed_has_not_taken_everything() -> None:
    writer = Writer()
    async with running(writer) as gateway:
        writer.error = LogError("gone")
        task = asyncio.create_task(gateway.submit(SettleWithdrawal(1, 1)))
        await asyncio.sleep(0)
        assert not await gateway.is_flushed()
        with pytest.raises(OutcomeUnknownError):
            await task
