"""Promises of settling withdrawals."""

import asyncio

import pytest

from exchange.contracts.audit_keys import RED_KEY
from exchange.contracts.codec import decode_commands
from exchange.contracts.commands import Command, CreditDeposit, ReserveWithdrawal, SettleWithdrawal
from exchange.contracts.events import WithdrawalReserved, WithdrawalSettled
from exchange.process.components import Resources
from services.projections.ledger.projection import LedgerProjection
from services.projections.ledger.reconcile import reconcile
from services.projections.withdrawals import WithdrawalSettler
from tests.event_streams import ONE, EngineStream
from tests.integration.projections.conftest import Running, publish

pytestmark = pytest.mark.integration
ALICE, BTC = 1001, 1


class EngineLoop:
    """The engine's place on the logs, as a component."""

    name = "engine"

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self.stream = EngineStream()
        self.commands: list[Command] = []

    async def start(self) -> None:
        self._reader = await self._resources.command_log.reader(0)
        await publish(self._resources, self.stream)

    async def run(self) -> None:
        while True:
            for record in await self._reader.read(1_000):
                commands = decode_commands(record.value)
                self.commands += commands
                self.stream.apply(*commands)
                await publish(self._resources, self.stream)

    async def stop(self) -> None:
        await self._reader.close()

    def readiness(self) -> dict[str, str | None]:
        return {}

    def settled(self) -> list[int]:
        events = [recorded.event for outcome in self.stream.outcomes for recorded in outcome.events]
        return [event.withdrawal_id for event in events if isinstance(event, WithdrawalSettled)]


async def test_reserved_withdrawals_are_settled_once_and_the_ledger_adds_up(resources: Resources) -> None:
    engine, ledger = EngineLoop(resources), LedgerProjection(resources)
    settlers = [WithdrawalSettler(resources), WithdrawalSettler(resources)]
    running = Running([engine, ledger, *settlers])
    engine.stream.apply(CreditDeposit(1, ALICE, BTC, ONE, 1))
    engine.stream.apply(*(ReserveWithdrawal(1 + n, ALICE, BTC, n, n, "address") for n in range(1, 6)))
    await running.start()
    await running.until(lambda: len(engine.settled()) == 5 and ledger.last_seq == engine.stream.seq)
    await asyncio.sleep(0.6)
    assert running.failure() is None
    assert sorted(engine.settled()) == [1, 2, 3, 4, 5]
    await running.until(lambda: ledger.last_seq == engine.stream.seq)
    await running.stop()
    async with resources.database.acquire() as connection:
        statuses = await connection.fetch("SELECT DISTINCT status FROM withdrawals")
        assert [row["status"] for row in statuses] == ["SETTLED"]
        balance = await connection.fetchrow("SELECT available_atoms, held_atoms FROM balances")
        assert balance is not None
        assert tuple(balance) == (ONE - 15, 0)
        assert await reconcile(connection) == []


async def test_nothing_is_settled_before_the_ledger_has_the_reservation(resources: Resources) -> None:
    engine = EngineLoop(resources)
    engine.stream.apply(
        CreditDeposit(1, ALICE, BTC, ONE, 1), ReserveWithdrawal(2, ALICE, BTC, 5, 1, "address")
    )
    without_ledger = Running([engine, WithdrawalSettler(resources)])
    await without_ledger.start()
    await asyncio.sleep(0.7)
    reserved = [
        recorded.event
        for outcome in engine.stream.outcomes
        for recorded in outcome.events
        if isinstance(recorded.event, WithdrawalReserved)
    ]
    assert len(reserved) == 1
    assert not [command for command in engine.commands if isinstance(command, SettleWithdrawal)]
    ledger = LedgerProjection(resources)
    with_ledger = Running([ledger])
    await with_ledger.start()
    await without_ledger.until(lambda: engine.settled() == [1])
    await with_ledger.stop()
    await without_ledger.stop()


async def test_nothing_leaves_while_the_auditor_is_red(resources: Resources) -> None:
    engine, ledger = EngineLoop(resources), LedgerProjection(resources)
    running = Running([engine, ledger, WithdrawalSettler(resources)])
    engine.stream.apply(
        CreditDeposit(1, ALICE, BTC, ONE, 1), ReserveWithdrawal(2, ALICE, BTC, 5, 1, "address")
    )
    await resources.cache.set(RED_KEY, "{}")
    await running.start()
    await running.until(lambda: ledger.last_seq == engine.stream.seq)
    await asyncio.sleep(0.6)
    assert engine.settled() == []
    await resources.cache.delete(RED_KEY)
    await running.until(lambda: engine.settled() == [1])
    await running.stop()
