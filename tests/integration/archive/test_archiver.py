"""Promises of services/archive/component.py: gapless, write-once, no state of its own."""

import asyncio
import random
from typing import NoReturn

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.log.segments import ArchiveError
from exchange.log.shelf import Shelf
from exchange.ports.world import Log, LogError, LogReader, LogRecord, ObjectStore, ObjectStoreError
from services.archive.component import Archiver
from tests.at_work import running

pytestmark = pytest.mark.integration
SEED = 61
WAIT_S = 60.0


def archiver(log: Log, store: ObjectStore, *, size_bytes: int = 2_000, age_ms: int = 50) -> Archiver:
    return Archiver(
        "events", log, store, shard=3, segment_size_bytes=size_bytes, segment_age_ms=age_ms,
        log_deadline_ms=2_000,
    )  # fmt: skip


class Source:
    """A log that grows by random records."""

    def __init__(self, seed: int = SEED) -> None:
        print(f"seed {seed}")
        self._random = random.Random(seed)
        self._now_ms = 1_700_000_000_000
        self.log = MemoryLog(self._clock_ms)

    def _clock_ms(self) -> int:
        self._now_ms += self._random.randint(0, 3)
        return self._now_ms

    async def grow(self, count: int) -> None:
        writer = await self.log.writer()
        for _ in range(count):
            await writer.append(self._random.randbytes(self._random.randint(0, 120)))


async def archived(store: ObjectStore) -> list[LogRecord]:
    return [record async for segment in Shelf(store, 3, "events").segments() for record in segment.records]


async def until_archived(store: ObjectStore, log: MemoryLog) -> None:
    async with asyncio.timeout(WAIT_S):
        while await archived(store) != log.records:
            await asyncio.sleep(0.02)


async def test_every_record_is_archived_with_its_offset_and_time(store: ObjectStore) -> None:
    source = Source()
    await source.grow(300)
    one = archiver(source.log, store)
    async with running(one):
        await until_archived(store, source.log)
        await source.grow(20)
        await until_archived(store, source.log)
        assert one.readiness() == {"archive-events": None}
        assert one.next_offset == 320
    assert all(key.startswith("archive/3/events/") for key in await store.keys(""))
    assert len(await store.keys("")) > 5, "closed by size, too"


async def test_quiet_segment_is_closed_by_its_age_and_an_empty_one_never(store: ObjectStore) -> None:
    source = Source()
    async with running(archiver(source.log, store, size_bytes=10**6, age_ms=100)):
        await asyncio.sleep(0.3)
        assert await store.keys("") == []
        await source.grow(3)
        await until_archived(store, source.log)


async def test_restarted_archiver_goes_on_without_a_gap(store: ObjectStore) -> None:
    source, moments = Source(), random.Random(SEED)
    for round_number in range(6):
        # Killed as often as stopped: what was not archived is read again from the log.
        async with running(archiver(source.log, store), stopped_in_order=round_number % 2 == 0):
            await source.grow(60)
            await asyncio.sleep(moments.uniform(0.0, 0.2))
    async with running(archiver(source.log, store)):
        await until_archived(store, source.log)


async def test_stop_archives_what_has_been_read(store: ObjectStore) -> None:
    source = Source()
    await source.grow(5)
    async with running(archiver(source.log, store, age_ms=10**6)):
        await asyncio.sleep(0.3)
        assert await store.keys("") == []
    assert await archived(store) == source.log.records


async def test_two_archivers_at_once_do_no_harm(store: ObjectStore) -> None:
    source = Source()
    # Different limits, so that they would cut differently.
    pair = archiver(source.log, store), archiver(source.log, store, size_bytes=3_100, age_ms=30)
    async with running(*pair):
        for _ in range(15):
            await source.grow(20)
            await asyncio.sleep(0.02)
        await until_archived(store, source.log)
        assert [one.readiness() for one in pair] == [{"archive-events": None}] * 2


class Shaky:
    """A store and a log that fail now and then, and lose answers of calls that took effect."""

    def __init__(self, store: ObjectStore, log: Log) -> None:
        self._store, self._log, self._random = store, log, random.Random(SEED)

    def _fail(self, error: Exception, probability: float = 0.3) -> None:
        if self._random.random() < probability:
            raise error

    async def put(self, key: str, body: bytes) -> bool:
        self._fail(ObjectStoreError("not sent"))
        put = await self._store.put(key, body)
        self._fail(ObjectStoreError("the answer was lost"))
        return put

    async def get(self, key: str) -> bytes | None:
        self._fail(ObjectStoreError("away"))
        return await self._store.get(key)

    async def keys(self, prefix: str) -> list[str]:
        self._fail(ObjectStoreError("away"))
        return await self._store.keys(prefix)

    async def delete(self, key: str) -> None:
        raise AssertionError("an archive is never deleted from")

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        self._fail(LogError("away"))
        return _ShakyReader(self, await self._log.reader(offset, gather_ms))

    async def first_offset(self) -> int:
        self._fail(LogError("away"))
        return await self._log.first_offset()

    async def end_offset(self) -> int:
        self._fail(LogError("away"))
        return await self._log.end_offset()

    async def writer(self) -> NoReturn:
        raise AssertionError("an archiver never writes to the log")

    async def last(self) -> LogRecord | None:
        return await self._log.last()


class _ShakyReader:
    def __init__(self, owner: Shaky, reader: LogReader) -> None:
        self._owner, self._reader = owner, reader

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        records = await self._reader.read(timeout_ms)
        self._owner._fail(LogError("away"), 0.1)
        return records

    async def close(self) -> None:
        await self._reader.close()


async def test_failing_store_and_log_delay_the_archive_and_spoil_nothing(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.process.patience.WAIT_S", 0.001)
    source = Source()
    shaky = Shaky(store, source.log)
    one = archiver(shaky, shaky, age_ms=20)  # type: ignore[arg-type]
    problems = set()
    async with running(one):
        for _ in range(30):
            await source.grow(10)
            await asyncio.sleep(0.02)
            problems |= set(one.readiness().values())
        await until_archived(store, source.log)
    assert len(problems) > 1, "a failure is told"


async def test_archive_of_another_history_stops_the_archiver(store: ObjectStore) -> None:
    source, other, shorter = Source(), Source(SEED + 1), Source()
    for each, count in ((source, 100), (other, 200), (shorter, 40)):
        await each.grow(count)
    async with running(archiver(source.log, store)):
        await until_archived(store, source.log)
    before = await store.keys("")
    for log, message in ((other.log, "differs from the archived one"), (shorter.log, "the log ends at 40")):
        one = archiver(log, store)
        with pytest.raises(ExceptionGroup) as stopped:
            async with asyncio.timeout(WAIT_S):
                await one.run()
        assert stopped.group_contains(ArchiveError, match=message)
        await one.stop()
    assert await store.keys("") == before


@pytest.mark.parametrize("what", ["gap", "damage"])
async def test_gap_and_damage_in_the_archive_are_found(store: ObjectStore, what: str) -> None:
    source = Source()
    await source.grow(200)
    async with running(archiver(source.log, store)):
        await until_archived(store, source.log)
    key = (await store.keys(""))[2]
    body = await store.get(key)
    assert body is not None
    await store.delete(key)
    if what == "damage":
        await store.put(key, body[:-1])
    with pytest.raises(ArchiveError, match="expected offset" if what == "gap" else "damaged"):
        await archived(store)
