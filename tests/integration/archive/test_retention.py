"""Logs are shortened by what is proven to be archived, and by nothing else; who reads them misses nothing."""

import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.log.records import records_between
from exchange.log.segments import ArchiveError, Segment
from exchange.log.shelf import Shelf
from exchange.log.whole_log import WholeLog
from exchange.ports.object_keys import SnapshotPlace, archive_prefix, snapshot_name, snapshots_prefix
from exchange.ports.world import Log, LogError, LogRecord
from services.archive.retention import Retention

pytestmark = pytest.mark.integration

DEADLINE_MS = 10_000
SHARD = 3
RECORDS = 40
PER_SEGMENT = 4
NOW_MS = 10**14


@pytest.fixture(params=["file", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FileLog | KafkaLog]:
    if request.param == "file":
        # One record to a file, so that whatever can go goes.
        opened = await FileLog.open(tmp_path / "log", DEADLINE_MS, file_size_bytes=1)
        yield opened
        await opened.close()
        return
    cluster = KafkaCluster(request.getfixturevalue("kafka_bootstrap"), DEADLINE_MS)
    # Folders of two test processes have the same names, and the broker is one.
    topic = f"exchange.test.{secrets.token_hex(6)}"
    await ensure_topics(cluster, [topic], replicas=1)
    yield KafkaLog(cluster, topic)


class Place:
    """A log, archived but for its last records, and the store of the archive and the snapshots."""

    def __init__(self, log: FileLog | KafkaLog, folder: Path) -> None:
        self.log = log
        self.folder = folder
        self.store = FolderStore(folder)
        self.records: list[LogRecord] = []
        self.archived_to = 0

    async def fill(self, name: str = "commands") -> None:
        writer = await self.log.writer()
        for number in range(RECORDS):
            await writer.append(b"%d" % number)
        await writer.close()
        self.records = await everything(self.log, 0)
        shelf = Shelf(self.store, SHARD, name)
        for first in range(0, RECORDS - PER_SEGMENT, PER_SEGMENT):
            assert await shelf.add(Segment(name, self.records[first : first + PER_SEGMENT]))
            self.archived_to = first + PER_SEGMENT

    async def snapshot(self, offset: int) -> None:
        await self.store.put(snapshots_prefix(SHARD) + snapshot_name(SnapshotPlace(offset, offset, 4)), b"x")

    def retention(self, *, name: str = "commands", kept_ms: int = 0, floor: int = 10**9) -> Retention:
        async def reader_needs() -> int:
            return floor

        return Retention(
            name,
            self.log,
            self.store,
            shard=SHARD,
            kept_ms=kept_ms,
            clock_ms=lambda: NOW_MS,
            needed_from=[reader_needs],
        )

    def segment(self, first: int, name: str = "commands") -> Path:
        return self.folder / archive_prefix(SHARD, name) / f"{first:020d}.seg"


@pytest.fixture
async def place(log: FileLog | KafkaLog, tmp_path: Path) -> Place:
    place = Place(log, tmp_path / "store")
    await place.fill()
    return place


async def everything(log: Log, first: int) -> list[LogRecord]:
    return [record async for record in records_between(log, first, await log.end_offset())]


async def test_what_is_archived_and_behind_all_snapshots_is_removed_and_nothing_else(place: Place) -> None:
    await place.snapshot(30)
    await place.snapshot(17)
    assert await place.retention().round() == 16, "whole segments behind the oldest snapshot"
    with pytest.raises(LogError, match="is gone, the log starts at 16"):
        await place.log.reader(15)
    assert await everything(place.log, 16) == place.records[16:]
    assert await place.retention().round() == 16, "again changes nothing"
    # And it goes on: the log is written, read at its end, and shortened further.
    writer = await place.log.writer()
    assert await writer.append(b"next") == RECORDS
    await writer.close()
    last = await place.log.last()
    assert last is not None
    assert last.value == b"next"


async def test_what_is_not_archived_stays(place: Place) -> None:
    await place.snapshot(RECORDS)
    assert await place.retention().round() == place.archived_to < RECORDS


async def test_nothing_is_removed_without_a_snapshot(place: Place) -> None:
    assert await place.retention().round() == 0


async def test_young_records_stay(place: Place) -> None:
    await place.snapshot(RECORDS)
    oldest_ms = place.records[0].timestamp_ms
    assert await place.retention(kept_ms=NOW_MS - oldest_ms).round() == 0
    assert await place.retention(kept_ms=NOW_MS - place.records[-1].timestamp_ms - 1).round() > 0


async def test_what_a_reader_still_needs_stays(place: Place) -> None:
    await place.snapshot(RECORDS)
    assert await place.retention(floor=13).round() == 12


async def test_newest_events_stay_whatever_is_archived(log: FileLog | KafkaLog, tmp_path: Path) -> None:
    place = Place(log, tmp_path / "store")
    await place.fill("events")
    await place.snapshot(RECORDS)
    assert await place.retention(name="events").round() == 0


@pytest.mark.parametrize("damage", ["bit", "cut", "missing", "another history"])
async def test_damaged_archive_keeps_the_log(place: Place, damage: str) -> None:
    await place.snapshot(RECORDS)
    path = place.segment(8)
    body = bytearray(path.read_bytes())
    if damage == "bit":
        body[-3] ^= 1
        path.write_bytes(body)
    elif damage == "cut":
        path.write_bytes(body[:-1])
    elif damage == "missing":
        path.unlink()
    else:
        path.unlink()
        others = [record._replace(value=b"other") for record in place.records[8:12]]
        assert await Shelf(place.store, SHARD, "commands").add(Segment("commands", others))
    with pytest.raises(ArchiveError):
        await place.retention().round()
    assert await place.log.first_offset() == 0
    assert await everything(place.log, 0) == place.records


async def test_whole_log_gives_every_record_from_wherever_it_is_begun(place: Place) -> None:
    await place.snapshot(22)
    assert await place.retention().round() == 20
    whole = WholeLog(place.log, place.store, SHARD, "commands")
    assert (await whole.first_offset(), await whole.end_offset()) == (0, RECORDS)
    for first in range(0, RECORDS, 3):
        assert await everything(whole, first) == place.records[first:]
    reader = await whole.reader(18)
    found = [*await reader.read(1_000), *await reader.read(5_000)]
    assert [record.offset for record in found][:3] == [18, 19, 20]
    await reader.close()


async def test_reader_of_the_archive_finds_the_log_shortened_further(place: Place) -> None:
    await place.snapshot(30)
    assert await place.retention(floor=8).round() == 8
    whole = WholeLog(place.log, place.store, SHARD, "commands")
    reader = await whole.reader(0)
    found = await reader.read(5_000)
    assert await place.retention().round() == 28
    while len(found) < RECORDS:
        found += await reader.read(5_000)
    assert found == place.records
    await reader.close()


async def test_what_neither_log_nor_archive_has_is_an_error(place: Place) -> None:
    await place.snapshot(22)
    await place.retention().round()
    shutil.rmtree(place.folder / archive_prefix(SHARD, "commands"))
    reader = await WholeLog(place.log, place.store, SHARD, "commands").reader(3)
    with pytest.raises(LogError, match="record 3 is gone"):
        await reader.read(100)
