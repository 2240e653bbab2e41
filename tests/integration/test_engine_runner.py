"""Promises of matching_engine/runner.py: recovery is replay, and gives the same bytes."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.log_restore import FileRestorer
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import CommandOutcome, decode_events, encode_commands
from exchange.contracts.commands import LeaderElected, Malformed
from exchange.log.event_tail import ChainError
from exchange.log.records import records_between
from exchange.ports.world import Headers, Log, LogError, LogReader, LogWriter
from loadtest.bench.workload import Mischief
from matching_engine.genesis import write_genesis
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots, state_hash

SEED = 11
COMMANDS = 400
PER_RECORD = 5


def command_records(count: int = COMMANDS) -> list[bytes]:
    source = Mischief(SEED)
    commands = [c for c in [*source.setup(), *source.take(count)] if not isinstance(c, Malformed)]
    return [encode_commands(commands[i : i + PER_RECORD]) for i in range(0, len(commands), PER_RECORD)]


class Place:
    """Where an engine lives: its logs, kept over restarts, and its snapshots."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A command log's own time, the same in every test.
        self.command_log: Log = MemoryLog(lambda: 1_700_000_000_000)
        self.event_log: Log = MemoryLog(lambda: 1)

    def runner(self, snapshot_every_commands: int = 10**9) -> EngineRunner:
        return EngineRunner(
            self.command_log,
            self.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=snapshot_every_commands,
        )

    async def send(self, *records: bytes) -> None:
        writer = await self.command_log.writer()
        for record in records:
            await writer.append(record)

    async def events(self) -> list[CommandOutcome]:
        """All published outcomes."""
        reader = await self.event_log.reader(0)
        found: list[CommandOutcome] = []
        while records := await reader.read(1):
            for record in records:
                found += decode_events(record.value).outcomes
        return found


@asynccontextmanager
async def running(runner: EngineRunner) -> AsyncIterator[EngineRunner]:
    await runner.start()
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await runner.stop()


async def caught_up(place: Place, runner: EngineRunner) -> None:
    end = await place.command_log.end_offset()
    async with asyncio.timeout(30):
        while runner.shard.next_command_offset < end or runner.outbox.published_seq < runner.shard.engine.seq:
            await asyncio.sleep(0.005)


def rows(outcomes: list[CommandOutcome]) -> list[object]:
    """What of an outcome must be equal; the hashes cover the events' fields."""
    return [(*o[:4], [(r.seq, r.hash) for r in o.events]) for o in outcomes]


@pytest.fixture(params=["memory", "file"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    if request.param == "memory":
        yield place
        return
    commands = await FileLog.open(tmp_path / "commands", 5_000)
    events = await FileLog.open(tmp_path / "events", 5_000)
    place.command_log, place.event_log = commands, events
    yield place
    for log in (place.command_log, place.event_log):
        assert isinstance(log, FileLog)
        await log.close()


async def lose_tail(place: Place, kept: int) -> None:
    """Keep only the first `kept` records of the event log."""
    if isinstance(place.event_log, MemoryLog):
        del place.event_log.records[kept:]
        return
    assert isinstance(place.event_log, FileLog)
    path = place.event_log._path
    records = [record async for record in records_between(place.event_log, 0, kept)]
    await place.event_log.close()
    shutil.rmtree(path)
    restorer = FileRestorer(path)
    await restorer.append(records)
    await restorer.finish()
    await restorer.close()
    place.event_log = await FileLog.open(path, 5_000)


async def test_every_command_on_the_log_gets_its_events_published_once(place: Place) -> None:
    await place.send(*command_records()[:40])
    async with running(place.runner()) as runner:
        await place.send(*command_records()[40:])
        await caught_up(place, runner)
        outcomes = await place.events()
    seqs = [recorded.seq for outcome in outcomes for recorded in outcome.events]
    assert seqs == list(range(1, runner.shard.engine.seq + 1))
    assert outcomes[-1].events[-1].hash == runner.shard.chain


@pytest.mark.parametrize("kept", [0, 1, 7, -1])
async def test_restart_after_losing_the_event_logs_tail_re_emits_identical_events(
    place: Place, kept: int
) -> None:
    async with running(place.runner()) as runner:
        for record in command_records():
            await place.send(record)
            if len(record) % 3 == 0:  # let the engine publish some gulps by themselves
                await caught_up(place, runner)
        await caught_up(place, runner)
    before, state = await place.events(), state_hash(runner.shard)
    await lose_tail(place, kept if kept >= 0 else await place.event_log.end_offset() - 1)
    assert len(await place.events()) < len(before)
    async with running(place.runner()) as again:
        assert state_hash(again.shard) == state
    assert rows(await place.events()) == rows(before)


async def test_restart_with_everything_published_publishes_nothing(place: Place) -> None:
    await place.send(*command_records())
    async with running(place.runner()):
        pass
    end = await place.event_log.end_offset()
    async with running(place.runner()) as again:
        assert again.readiness() == {"engine": None}
    assert await place.event_log.end_offset() == end


async def test_restart_from_a_snapshot_goes_on_as_a_full_replay_would(place: Place, tmp_path: Path) -> None:
    records = command_records()
    async with running(place.runner(snapshot_every_commands=50)) as runner:
        for record in records[:-20]:
            await place.send(record)
            await caught_up(place, runner)
    assert len(list((tmp_path / "snapshots").iterdir())) == 3
    await place.send(encode_commands([LeaderElected(1, "x", 5)]), *records[-20:])
    async with running(place.runner()) as from_snapshot:
        await caught_up(place, from_snapshot)
    for snapshot in (tmp_path / "snapshots").iterdir():
        snapshot.unlink()
    async with running(place.runner()) as from_the_start:
        pass
    assert from_snapshot.shard.chain == from_the_start.shard.chain
    assert state_hash(from_snapshot.shard) == state_hash(from_the_start.shard)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:50] + b"\x00" + b[51:], lambda b: b""])
async def test_torn_snapshot_falls_back_to_the_one_before(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    place = Place(tmp_path)
    async with running(place.runner(snapshot_every_commands=50)) as runner:
        for record in command_records():
            await place.send(record)
            await caught_up(place, runner)
    newest = max((tmp_path / "snapshots").iterdir())
    newest.write_bytes(damage(newest.read_bytes()))
    async with running(place.runner()) as again:
        assert state_hash(again.shard) == state_hash(runner.shard)


async def test_event_log_ahead_of_the_command_log_stops(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.send(*command_records())
    async with running(place.runner()):
        pass
    assert isinstance(place.command_log, MemoryLog)
    del place.command_log.records[-3:]
    with pytest.raises(ChainError, match="commands were lost"):
        await place.runner().start()


async def test_event_log_behind_the_snapshot_stops(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with running(place.runner(snapshot_every_commands=1)) as runner:
        await place.send(*command_records())
        await caught_up(place, runner)
        # The snapshot follows the publishing.
        async with asyncio.timeout(30):
            while not await FolderStore(place.folder / "snapshots").keys(""):
                await asyncio.sleep(0.005)
    await lose_tail(place, 0)
    with pytest.raises(ChainError, match="events were lost"):
        await place.runner().start()


async def test_other_history_on_the_event_log_stops(tmp_path: Path) -> None:
    place, other = Place(tmp_path), Place(tmp_path)
    await place.send(*command_records())
    await other.send(encode_commands([LeaderElected(9, "other", 1)]), *command_records())
    async with running(other.runner()):
        pass
    place.event_log = other.event_log
    await lose_tail(place, 1)
    with pytest.raises(ChainError):
        await place.runner().start()


class FailingLog(MemoryLog):
    """Takes some appends, then none. Its own writer."""

    def __init__(self, taken_max: int) -> None:
        super().__init__(lambda: 1)
        self.taken_max = taken_max

    async def writer(self) -> LogWriter:
        return self

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        if len(self.records) >= self.taken_max:
            raise LogError("the broker is away")
        return await self._append(value)

    async def close(self) -> None:
        return None

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        return await super().reader(offset, gather_ms)


async def test_failed_publish_ends_the_engine_and_the_next_start_repairs_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    failing = FailingLog(0)
    place.event_log = failing
    runner = place.runner()
    await runner.start()
    task = asyncio.create_task(runner.run())
    await place.send(*command_records())
    with pytest.raises(LogError, match="away"):
        await asyncio.wait_for(task, 30)
    await runner.stop()
    failing.taken_max = 10**9
    async with running(place.runner()) as again:
        await caught_up(place, again)
    seqs = [recorded.seq for outcome in await place.events() for recorded in outcome.events]
    assert seqs == list(range(1, again.shard.engine.seq + 1))


async def test_genesis_is_written_once_even_behind_a_stray_command(place: Place) -> None:
    await place.send(encode_commands([LeaderElected(1, "stray", 1)]))
    assert await write_genesis(place.command_log)
    assert not await write_genesis(place.command_log)
    async with running(place.runner()) as runner:
        await caught_up(place, runner)
        assert sorted(runner.shard.engine.markets) == [1, 2, 3]
