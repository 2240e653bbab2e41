"""Promises of a leader and its standby: one history, whoever writes it, without gap or contradiction."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.adapters.files.lease import FileLease
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import EMPTY_CHAIN_HASH, CommandOutcome, decode_events, encode_commands
from exchange.contracts.commands import Malformed
from exchange.log.event_tail import EventTail, TailPosition
from exchange.ports.world import Lease, Log
from loadtest.bench.workload import Mischief
from matching_engine.leadership import Elector
from matching_engine.runner import DeposedError, EngineRunner, Role
from matching_engine.snapshots import Snapshots

pytestmark = pytest.mark.integration

SEED = 23
DURATION_MS = 1_000
WAIT_S = 60.0


class Clock:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now_ms = 5_000

    def __call__(self) -> int:
        return self.now_ms


def elector(lease: Lease, holder: str, clock: Clock) -> Elector:
    return Elector(lease, holder, duration_ms=DURATION_MS, clock_ms=clock)


async def test_a_free_lease_is_taken_by_one(tmp_path: Path) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert sorted(await asyncio.gather(a.campaign(), b.campaign())) == [False, True]


async def test_a_lease_that_is_renewed_is_never_taken_over(tmp_path: Path) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    for _ in range(20):
        clock.now_ms += DURATION_MS // 3
        assert await a.campaign()
        assert not await b.campaign()


async def test_an_abandoned_lease_is_taken_over_after_its_duration_and_its_holder_learns_it(
    tmp_path: Path,
) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    assert not await b.campaign()
    clock.now_ms += DURATION_MS - 1
    assert not await b.campaign()
    clock.now_ms += 1
    assert await b.campaign()
    assert not await a.campaign()


async def test_who_has_seen_an_abandoned_lease_before_it_recovered_does_not_wait_again(
    tmp_path: Path,
) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    await b.observe()
    assert not b.is_holding
    clock.now_ms += DURATION_MS
    assert await b.campaign()


async def test_who_has_seen_a_lease_that_was_renewed_meanwhile_waits(tmp_path: Path) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    await b.observe()
    clock.now_ms += DURATION_MS
    assert await a.campaign()
    assert not await b.campaign()


async def test_a_resigned_lease_is_free_at_once(tmp_path: Path) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    assert not await b.campaign()
    await a.resign()
    assert await b.campaign()


async def test_a_lease_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    clock, lease = Clock(), FileLease(tmp_path / "lease")
    a, b = elector(lease, "a", clock), elector(lease, "b", clock)
    assert await a.campaign()
    (tmp_path / "lease").write_bytes(b"\x00")
    assert await a.campaign()
    clock.now_ms += 10 * DURATION_MS
    assert not await b.campaign()


class Place:
    """Two logs, a lease, and engines that may be started on them."""

    def __init__(self, folder: Path, command_log: Log, event_log: Log) -> None:
        self.folder = folder
        self.command_log = command_log
        self.event_log = event_log
        self.lease = FileLease(folder / "lease")
        self.clock = Clock()
        source = Mischief(SEED)
        commands = [c for c in [*source.setup(), *source.take(1_000)] if not isinstance(c, Malformed)]
        self.records = [encode_commands(commands[i : i + 5]) for i in range(0, len(commands), 5)]

    def engine(self, name: str, snapshot_every_commands: int = 10**9) -> EngineRunner:
        return EngineRunner(
            self.command_log,
            self.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=snapshot_every_commands,
            elector=elector(self.lease, name, self.clock),
        )

    async def send(self, count: int) -> None:
        """Append the next `count` records."""
        writer = await self.command_log.writer()
        for record in self.records[:count]:
            await writer.append(record)
        del self.records[:count]
        await writer.close()

    async def history(self) -> list[CommandOutcome]:
        """What a consumer gets. Raises ChainError on a gap or a contradiction."""
        end = await self.event_log.end_offset()
        reader = await self.event_log.reader(0)
        tail = EventTail(reader, TailPosition(0, EMPTY_CHAIN_HASH, 0))
        found: list[CommandOutcome] = []
        while tail.position.next_offset < end:
            found += await tail.read(5_000)
        await reader.close()
        return found

    async def complete(self, engine: EngineRunner) -> None:
        """Wait until the engine has decided and published every command."""

        async def is_complete() -> bool:
            end = await self.command_log.end_offset()
            return engine.shard.next_command_offset >= end and not engine.outbox.pending

        async with asyncio.timeout(WAIT_S):
            while not await is_complete():
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(engine: EngineRunner) -> AsyncIterator[asyncio.Task[None]]:
    """The engine as a task; what it ends with is the test's business."""
    await engine.start()
    task = asyncio.create_task(engine.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.stop()


async def becomes(engine: EngineRunner, role: Role) -> None:
    async with asyncio.timeout(WAIT_S):
        while engine.role is not role:
            await asyncio.sleep(0.02)


async def takes_over(place: Place, engine: EngineRunner) -> None:
    """Time passes until the engine leads. Nobody renews the lease meanwhile."""
    async with asyncio.timeout(WAIT_S):
        while engine.role is not Role.LEADER:
            place.clock.now_ms += DURATION_MS
            await asyncio.sleep(0.05)


@pytest.fixture(params=["memory", "kafka"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        return Place(tmp_path, MemoryLog(lambda: 1_700_000_000_000), MemoryLog(lambda: 1))
    bootstrap: str = request.getfixturevalue("kafka_bootstrap")
    suffix = random.getrandbits(48)
    topics = [f"commands-{suffix}", f"events-{suffix}"]
    await ensure_topics(KafkaCluster(bootstrap, 20_000), topics, replicas=1)
    command_log, event_log = (KafkaLog(KafkaCluster(bootstrap, 10_000), topic) for topic in topics)
    return Place(tmp_path, command_log, event_log)


async def test_a_standby_takes_over_and_the_history_has_no_seam(place: Place) -> None:
    first, second = place.engine("first"), place.engine("second")
    async with running(first) as leading:
        await becomes(first, Role.LEADER)
        async with running(second):
            await place.send(60)
            await place.complete(first)
            assert second.role is Role.STANDBY
            async with asyncio.timeout(WAIT_S):
                while second.readiness()["engine"] is not None:  # it has to see the lease first
                    await asyncio.sleep(0.02)
            leading.cancel()  # without a word, as kill -9 does
            await asyncio.gather(leading, return_exceptions=True)
            await place.send(60)
            place.clock.now_ms += DURATION_MS
            assert second.readiness()["engine"] in ("no engine leads", "takes over")
            await takes_over(place, second)
            assert second.readiness() == {"engine": None}
            await place.send(20)
            await place.complete(second)
            outcomes = await place.history()
    assert outcomes[-1].events[-1].seq == second.shard.engine.seq
    assert outcomes[-1].events[-1].hash == second.shard.chain


async def test_what_a_leader_could_not_publish_any_more_its_standby_publishes(place: Place) -> None:
    first, second = place.engine("first"), place.engine("second")
    async with running(first) as leading:
        await becomes(first, Role.LEADER)
        async with running(second):
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
            await place.send(100)  # nobody leads: the standby decides and keeps
            async with asyncio.timeout(WAIT_S):
                while second.shard.next_command_offset < await place.command_log.end_offset():
                    await asyncio.sleep(0.02)
            assert second.outbox.pending
            assert second.role is Role.STANDBY
            await takes_over(place, second)
            await place.complete(second)
            assert (await place.history())[-1].events[-1].seq == second.shard.engine.seq


async def test_a_leader_that_was_away_finds_itself_deposed_and_harms_nothing(place: Place) -> None:
    first, second = place.engine("first"), place.engine("second")
    async with running(first) as leading:
        await becomes(first, Role.LEADER)
        async with running(second):
            await place.send(30)
            await place.complete(first)
            # The lease runs out while the first one still runs: two believe that they lead.
            assert first._elector is not None
            vars(first._elector)["campaign"] = lambda: asyncio.sleep(0, True)
            await place.send(30)
            await takes_over(place, second)
            with pytest.raises(ExceptionGroup) as caught:
                await asyncio.wait_for(leading, WAIT_S)
            assert caught.group_contains(DeposedError)
            await place.send(30)
            await place.complete(second)
            assert (await place.history())[-1].events[-1].hash == second.shard.chain


async def test_two_leaders_at_once_write_one_history(tmp_path: Path) -> None:
    """The lease is only for liveness: with none at all, the log keeps them from contradicting each other."""
    place = Place(tmp_path, MemoryLog(lambda: 1_700_000_000_000), MemoryLog(lambda: 1))
    sole = [
        EngineRunner(
            place.command_log,
            place.event_log,
            Snapshots(FolderStore(tmp_path / name)),
            shard_number=0,
            snapshot_every_commands=10**9,
        )
        for name in ("a", "b")
    ]
    async with running(sole[0]), running(sole[1]):
        await place.send(120)
        await place.complete(sole[0])
        await place.complete(sole[1])
    records = len((await place.history())[-1].events)
    assert records
    assert (await place.history())[-1].events[-1].hash == sole[0].shard.chain == sole[1].shard.chain


async def test_the_standby_takes_the_snapshots_and_none_is_ahead_of_the_event_log(place: Place) -> None:
    first, second = place.engine("first", 50), place.engine("second", 50)
    async with running(first) as leading:
        await becomes(first, Role.LEADER)
        async with running(second):
            for _ in range(8):
                await place.send(10)
                await place.complete(first)
                async with asyncio.timeout(WAIT_S):
                    while second.outbox.published_seq < first.shard.engine.seq:
                        await asyncio.sleep(0.02)
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
            await place.send(60)  # decided by the standby, published by nobody
            await asyncio.sleep(1)
    taken = sorted((place.folder / "snapshots").iterdir())
    assert taken
    published = (await place.history())[-1].events[-1].seq
    assert int(taken[-1].name.split("-")[-1]) <= published
    third = place.engine("third")
    async with running(third):
        await takes_over(place, third)
        await place.complete(third)
    assert (await place.history())[-1].events[-1].hash == third.shard.chain


async def outcomes_of(place: Place) -> list[CommandOutcome]:
    engine = EngineRunner(
        place.command_log,
        place.event_log,
        Snapshots(FolderStore(place.folder / "unused")),
        shard_number=0,
        snapshot_every_commands=10**9,
    )
    async with running(engine):
        await place.send(40)
        await place.complete(engine)
    return [o for r in await _records(place) for o in decode_events(r).outcomes]


async def _records(place: Place) -> list[bytes]:
    reader = await place.event_log.reader(0)
    found = []
    while records := await reader.read(1):
        found += [record.value for record in records]
    await reader.close()
    return found
