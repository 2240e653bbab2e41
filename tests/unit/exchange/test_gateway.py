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
from exchange.ports.world import Headers, LogError


class Writer:
    """Keeps records; fails or hangs when told to."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.error: LogError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, value: bytes, headers: Headers = ()) -> int:
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


async def test_what_came_while_the_log_took_a_record_waits_for_its_tick_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A record costs the log and its readers the same whatever it holds; enough commands wait for no more."""
    writer, turn, ticks = Writer(), asyncio.sleep, [0, 2, 0]
    gateway = CommandGateway(writer, tick_ms=2, deadline_ms=5_000)
    ids, calls = iter(range(1, 100)), []
    waited: list[float] = []

    def submit(count: int) -> None:
        for _ in range(count):
            calls.append(asyncio.create_task(gateway.submit(SettleWithdrawal(next(ids), 1))))

    async def sleep(delay_s: float) -> None:
        if delay_s:
            submit(ticks[len(waited)])
            waited.append(delay_s)
        await turn(0)

    async def until(records: int) -> None:
        while len(writer.records) < records:
            await turn(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    task = asyncio.create_task(gateway.run())
    writer.gate.clear()
    submit(1)
    while not waited:
        await turn(0)
    submit(1)  # the log is taking the first one
    writer.gate.set()
    await until(2)
    submit(20)
    await until(3)
    # One alone; one that came meanwhile with two that came in its tick; twenty at once, in no tick at all.
    assert [len(decode_commands(record)) for record in writer.records] == [1, 3, 20]
    assert waited == [0.002, 0.002]
    gateway.close(LogError("the test is over"))
    task.cancel()
    await asyncio.gather(task, *calls, return_exceptions=True)


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
