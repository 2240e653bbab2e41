"""Promises about money and the auditor: nothing leaves before the auditor has seen what it leaves for."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.contracts.audit_keys import AUDITING, HEARTBEAT_KEY, RED_KEY, REPLAYING, Heartbeat
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import CreditDeposit, ReserveWithdrawal
from exchange.ports.world import Log, LogProbe, LogReader, LogRecord, LogWriter
from exchange.process.components import Resources
from exchange.security.withdrawal_stop import WithdrawalStop
from services.auditor import component
from services.auditor.component import Auditor
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.withdrawals import POLL_INTERVAL_S, WithdrawalSettler
from tests.event_streams import ONE
from tests.integration.projections.conftest import Running
from tests.integration.projections.test_withdrawals import EngineLoop

pytestmark = pytest.mark.integration
ALICE, BTC = 1001, 1
SOME_ROUNDS_S = 4 * POLL_INTERVAL_S


class HeldLog(Log):
    """An event log whose readers give nothing from `until` on; where it ends they can see."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.until: int | None = None

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        return _HeldReader(await self._log.reader(offset, gather_ms), offset, lambda: self.until)

    async def writer(self) -> LogWriter:
        return await self._log.writer()

    async def first_offset(self) -> int:
        return await self._log.first_offset()

    async def probe(self) -> LogProbe:
        return await self._log.probe()

    async def end_offset(self) -> int:
        return await self._log.end_offset()

    async def last(self) -> LogRecord | None:
        return await self._log.last()


class _HeldReader(LogReader):
    def __init__(self, reader: LogReader, offset: int, until: Callable[[], int | None]) -> None:
        self._reader = reader
        self._until = until
        self._waiting: list[LogRecord] = []

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        self._waiting += await self._reader.read(10)
        until = self._until()
        given = [record for record in self._waiting if until is None or record.offset < until]
        self._waiting = self._waiting[len(given) :]
        return given

    async def close(self) -> None:
        await self._reader.close()


class World:
    """An engine, both projections and the settler, and an auditor that can be held."""

    def __init__(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(component, "HEARTBEAT_EVERY_S", 0.05)
        monkeypatch.setattr(component, "END_EVERY_S", 0.05)
        self.resources = resources
        self.engine = EngineLoop(resources)
        self.ledger = LedgerProjection(resources)
        self.running = Running(
            [self.engine, self.ledger, BookProjection(resources), WithdrawalSettler(resources)]
        )
        self.seen_by_auditor = HeldLog(resources.event_log)
        self.auditor = Auditor(
            replace(resources, event_log=self.seen_by_auditor),
            FolderStore(resources.settings.data_dir),
            compare_every_s=0.1,
        )
        self.auditing = Running([self.auditor])

    async def start(self) -> None:
        self.engine.stream.apply(CreditDeposit(1, ALICE, BTC, ONE, 1))
        await self.running.start()

    async def reserve(self, withdrawal_id: int) -> None:
        """Until the ledger has it too."""
        writer = await self.resources.command_log.writer()
        await writer.append(encode_commands([ReserveWithdrawal(9, ALICE, BTC, 5, withdrawal_id, "address")]))
        await self.running.until(lambda: withdrawal_id in self.engine.stream.engine.withdrawals)
        await self.running.until(lambda: self.ledger.last_seq == self.engine.stream.seq)

    async def heartbeat(self) -> Heartbeat | None:
        value = await self.resources.cache.get(HEARTBEAT_KEY)
        return None if value is None else msgspec.json.decode(value, type=Heartbeat)

    async def until_beat(self, condition: Callable[[Heartbeat], bool]) -> None:
        async with asyncio.timeout(30):
            while (beat := await self.heartbeat()) is None or not condition(beat):
                await asyncio.sleep(0.02)

    async def nothing_leaves(self, *but: int) -> None:
        await asyncio.sleep(SOME_ROUNDS_S)
        assert self.running.failure() is None
        assert self.engine.settled() == list(but)

    async def stop(self) -> None:
        await self.auditing.stop()
        await self.running.stop()


async def test_nothing_leaves_while_the_auditor_replays_and_all_of_it_once_it_has_caught_up(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(resources, monkeypatch)
    await world.start()
    await world.reserve(1)
    world.seen_by_auditor.until = 1
    await world.auditing.start()
    await world.until_beat(lambda beat: beat.state == REPLAYING)
    await world.nothing_leaves()
    stop = WithdrawalStop(resources.cache, auditor_required=True, deadline_ms=1_000)
    assert await stop.reason() == "the auditor is still reading what happened before"
    world.seen_by_auditor.until = None
    await world.running.until(lambda: world.engine.settled() == [1])
    assert await stop.reason() is None
    await world.stop()


async def test_a_reservation_waits_for_the_auditor_to_have_seen_its_own_event(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(resources, monkeypatch)
    await world.start()
    await world.auditing.start()
    await world.reserve(1)
    await world.running.until(lambda: world.engine.settled() == [1])
    # The heartbeat is as good as any from here on, and the auditor a moment behind.
    world.seen_by_auditor.until = await resources.event_log.end_offset()
    await world.until_beat(lambda beat: beat.state == AUDITING and beat.compared_age_ms is not None)
    await world.reserve(2)
    await world.nothing_leaves(1)
    stop = WithdrawalStop(resources.cache, auditor_required=True, deadline_ms=1_000)
    verdict = await stop.verdict()
    assert verdict.stop is None
    async with resources.database.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT reserved_seq, status FROM withdrawals WHERE withdrawal_id = 2"
        )
        assert row is not None
        assert (row["status"], row["reserved_seq"]) == ("RESERVED", world.engine.stream.seq)
        assert verdict.audited_seq is not None
        assert verdict.audited_seq < row["reserved_seq"]
        # A row of an older release, without the seq of its event: the ledger's entries tell.
        await connection.execute("UPDATE withdrawals SET reserved_seq = NULL WHERE withdrawal_id = 2")
    await world.nothing_leaves(1)
    world.seen_by_auditor.until = None
    await world.running.until(lambda: world.engine.settled() == [1, 2])
    await world.stop()


async def test_nothing_ever_leaves_after_a_breach(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(resources, monkeypatch)
    await world.start()
    async with resources.database.acquire() as connection:
        await world.running.until(lambda: world.ledger.last_seq == world.engine.stream.seq)
        await connection.execute("UPDATE balances SET available_atoms = available_atoms + 1")
    await world.auditing.start()
    await world.auditing.until(lambda: world.auditor.alarm.breach is not None)
    await world.reserve(1)
    await world.nothing_leaves()
    # Also when the cache has lost the red key: the heartbeat says it as well.
    await world.auditing.kill()
    await world.until_beat(lambda beat: beat.state == "red")
    await resources.cache.delete(RED_KEY)
    await world.nothing_leaves()
    await world.stop()


async def test_heartbeat_tells_how_far_the_auditor_is(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(resources, monkeypatch)
    await world.start()
    await world.auditing.start()
    await world.until_beat(lambda beat: beat.state == AUDITING and beat.compared_age_ms is not None)
    await world.until_beat(lambda beat: (beat.seq, beat.lag_records) == (world.engine.stream.seq, 0))
    world.seen_by_auditor.until = 0
    await world.reserve(1)
    await world.until_beat(lambda beat: beat.lag_records > 0)
    beat = await world.heartbeat()
    assert beat is not None
    behind_ms = beat.lag_ms
    await world.until_beat(lambda beat: beat.lag_ms > behind_ms + 200)
    await world.stop()
