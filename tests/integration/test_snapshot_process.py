"""Promises of local/snapshot_process.py and matching_engine/remaking.py: a snapshot made by a second run of
the commands, in another process, is the state of the engine that ordered it, or is none (ADR 0024)."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.log_view import records_in
from exchange.adapters.files.objects import FolderStore
from exchange.log.records import records_between
from exchange.ports.object_keys import snapshots_prefix
from exchange.ports.world import LogError
from local.snapshot_process import ProcessSnapshots
from matching_engine.core.engine import Engine
from matching_engine.remaking import SnapshotOrder, order_of
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import SnapshotError, Snapshots, capture, state_hash
from tests.at_work import eventually
from tests.integration.test_engine_runner import command_records, running

pytestmark = pytest.mark.slow
FILE_SIZE_BYTES = 4_000


class Place:
    """A data folder as the embedded exchange has it, with logs of several files."""

    def __init__(self, folder: Path, commands: FileLog, events: FileLog) -> None:
        self.commands, self.events = commands, events
        self.log = folder / "log" / "commands.log"
        self.snapshots = Snapshots(FolderStore(folder), snapshots_prefix(0))
        self.maker = ProcessSnapshots(folder, self.log, 0, "interpreted")

    def runner(self, snapshot_every_commands: int = 10**9) -> EngineRunner:
        return EngineRunner(
            self.commands,
            self.events,
            self.snapshots,
            shard_number=0,
            snapshot_every_commands=snapshot_every_commands,
            snapshot_maker=self.maker,
        )

    async def send(self, records: list[bytes]) -> None:
        for record in records:
            await self.commands.append(record)

    async def keys(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.rglob("snapshot*") if path.is_file())


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    logs = [
        await FileLog.open(tmp_path / "log" / f"{name}.log", 5_000, file_size_bytes=FILE_SIZE_BYTES)
        for name in ("commands", "events")
    ]
    yield Place(tmp_path, *logs)
    for log in logs:
        await log.close()


async def decided(runner: EngineRunner, place: Place) -> None:
    """Until what was sent is decided. It may be farther: the leader's own word is a record as well."""
    end = await place.commands.end_offset()
    await eventually(lambda: runner.shard.read_offset >= end)


async def test_what_another_process_makes_is_the_engines_state(place: Place, tmp_path: Path) -> None:
    records = command_records()
    async with running(place.runner()) as runner:
        await place.send(records[:40])
        await decided(runner, place)
        first = capture(runner.shard)
        await place.maker.make(order_of(runner.shard))
        await place.send(records[40:])
        await decided(runner, place)
        second = capture(runner.shard)
        await place.maker.make(order_of(runner.shard))
        engine_state = state_hash(runner.shard)
    assert {Path(first.name).name, Path(second.name).name} <= set(await place.keys(tmp_path))
    stored = await place.snapshots.load_newest(Engine())
    assert stored is not None
    assert state_hash(stored) == engine_state
    assert capture(stored) == second


async def test_the_engine_orders_it_and_copies_nothing_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("trading stopped for a copy")

    monkeypatch.setattr("matching_engine.snapshotting.capture", refuse)
    async with running(place.runner(snapshot_every_commands=100)) as runner:
        await place.send(command_records())
        await decided(runner, place)
        await place.send(command_records()[:1])
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + 60
        newest = None
        while newest is None and loop.time() < give_up_s:
            newest = await place.snapshots.load_newest(Engine())
            await asyncio.sleep(0.1)
    assert newest is not None
    assert newest.engine.seq <= runner.shard.engine.seq


async def test_another_outcome_is_refused_and_nothing_is_stored(place: Place, tmp_path: Path) -> None:
    async with running(place.runner()) as runner:
        await place.send(command_records()[:30])
        await decided(runner, place)
        order = order_of(runner.shard)
        for wrong in (order._replace(chain=bytes(16)), order._replace(seq=order.seq + 1)):
            with pytest.raises(SnapshotError, match="second run"):
                await place.maker.make(wrong)
        beyond = order._replace(next_command_offset=order.next_command_offset + 100)
        with pytest.raises(SnapshotError, match="is not there"):
            await place.maker.make(beyond)
    assert await place.keys(tmp_path) == []


async def test_a_process_that_dies_is_told_and_the_engine_goes_on(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Dying:
        async def make(self, order: SnapshotOrder) -> None:
            raise SnapshotError("its process ended with -9")

    caplog.set_level(logging.ERROR)
    place.maker = Dying()  # type: ignore[assignment]
    async with running(place.runner(snapshot_every_commands=50)) as runner:
        await place.send(command_records())
        await decided(runner, place)
        await place.send(command_records()[:1])
        await decided(runner, place)
        await eventually(lambda: "was not stored" in caplog.text)


async def test_stopping_kills_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def sleeping(*_: object, **named: Any) -> "subprocess.Popen[bytes]":
        program = "import sys, time; sys.stdin.read(); time.sleep(600)"
        started.append(real([sys.executable, "-c", program], **named))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", sleeping)
    async with running(place.runner(snapshot_every_commands=50)) as runner:
        await place.send(command_records())
        await decided(runner, place)
        await place.send(command_records()[:1])
        await eventually(lambda: bool(started))
    await eventually(lambda: started[0].poll() is not None)


async def test_the_log_is_read_beside_its_owner(place: Place) -> None:
    records = command_records()[:60]
    await place.send(records)
    assert len(list(place.log.glob("*.log"))) > 2
    expected = [record async for record in records_between(place.commands, 7, 50)]
    assert list(records_in(place.log, 7, 50)) == expected
    assert list(records_in(place.log, 50, 50)) == []
    with pytest.raises(LogError, match="record 60 of 61"):
        list(records_in(place.log, 55, 61))
