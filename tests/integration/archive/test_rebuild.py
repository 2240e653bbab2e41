"""Rebuild from nothing: from the event log, and from the archive alone, to the same hashes (ADR 0010)."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.chosen.rebuild_places import KafkaPlaces
from exchange.adapters.files.log import FILE_SIZE_BYTES, FileLog
from exchange.adapters.files.log_restore import FileRestorer
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.restore import KafkaRestorer
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import Command, Malformed
from exchange.contracts.topics import commands_topic, events_topic
from exchange.log.event_tail import newest_event
from exchange.log.segments import ArchiveError
from exchange.ports.object_keys import audit_prefix
from exchange.ports.world import Log, LogError, LogRecord
from exchange.process.config import Settings
from loadtest.bench.workload import Mischief
from local.rebuilding.places import FilePlaces
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots, state_hash
from services.archive.component import archivers
from services.projections.ledger.reconcile import reconcile
from services.projections.rebuild import fingerprints
from services.rebuild.steps import Rebuild
from tests.at_work import running

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SEED = 77
WAIT_S = 60.0
DEADLINE_MS = 15_000
SNAPSHOT_EVERY = 400
Place = Callable[[Path], Settings]


def commands(count: int) -> list[Command]:
    print(f"seed {SEED}")
    source = Mischief(SEED)
    return [c for c in [*source.setup(), *source.take(count)] if not isinstance(c, Malformed)]


async def send(log: Log, some: list[Command]) -> None:
    writer = await log.writer()
    try:
        for first in range(0, len(some), 7):
            await writer.append(encode_commands(some[first : first + 7]))
    finally:
        await writer.close()


async def everything(log: Log) -> list[LogRecord]:
    end = await log.end_offset()
    found: list[LogRecord] = []
    reader = await log.reader(0)
    while len(found) < end:
        found += await reader.read(5_000)
    await reader.close()
    return found


class Original:
    """An exchange that traded, was archived and stopped: what it had come to."""

    def __init__(self) -> None:
        self.commands: list[LogRecord] = []
        self.events: list[LogRecord] = []
        self.state_hash = ""
        self.event_hash = b""


async def trade(settings: Settings, command_log: Log, event_log: Log, count: int = 1_500) -> Original:
    original, some = Original(), commands(count)
    async with open_object_store(settings) as store:
        engine = EngineRunner(
            command_log, event_log, Snapshots(store, f"snapshots/{settings.shard}/"),
            shard_number=settings.shard, snapshot_every_commands=SNAPSHOT_EVERY,
        )  # fmt: skip
        keepers = archivers(settings, command_log, event_log, store)
        async with running(engine, *keepers):
            for first in range(0, len(some), 300):
                await send(command_log, some[first : first + 300])
                await asyncio.sleep(0.05)
            async with asyncio.timeout(WAIT_S):
                # The engine itself may still have a word to say (matching_engine/timekeeping.py).
                while engine.outbox.pending or [
                    engine.shard.next_command_offset,
                    *(keeper.next_offset for keeper in keepers),
                ] != [end := await command_log.end_offset(), end, await event_log.end_offset()]:
                    await asyncio.sleep(0.05)
                # A snapshot is stored beside the work, so it may still be under way.
                while count > 2 * SNAPSHOT_EVERY and not await store.keys("snapshots/"):
                    await asyncio.sleep(0.05)
        original.state_hash = state_hash(engine.shard)
        original.event_hash = engine.shard.chain
    original.commands, original.events = await everything(command_log), await everything(event_log)
    return original


class Heard:
    """A `Report` that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, message: str) -> None:
        print(message)
        self.lines.append(message)

    def bar(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: None


async def rebuilt(settings: Settings, mode: str, source: str, *, accept_loss: bool = False) -> str:
    heard = Heard()
    places = KafkaPlaces(settings) if mode == "stack" else FilePlaces(settings)
    await Rebuild(settings, places, heard, accept_loss=accept_loss).run(source)
    return "\n".join(heard.lines)


async def tables(settings: Settings) -> dict[str, str]:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    try:
        assert await reconcile(connection) == []
        # Where in the log a ledger stands may differ by how the log was cut; the rest may not.
        return {
            table: text for table, text in (await fingerprints(connection)).items() if table != "positions"
        }
    finally:
        await connection.close()


async def empty_database(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()


@pytest.fixture
def settings(tmp_path: Path, database_dsn: str, valkey_url: str) -> Settings:
    return Settings(
        shard=uuid.uuid4().int % 1_000_000,
        data_dir=tmp_path,
        database_dsn=SecretStr(database_dsn),
        cache_url=SecretStr(valkey_url),
        archive_segment_age_ms=50,
        archive_segment_size_bytes=20_000,
        engine_build="interpreted",
    )


@asynccontextmanager
async def file_logs(
    settings: Settings, file_size_bytes: int = FILE_SIZE_BYTES
) -> AsyncIterator[tuple[FileLog, FileLog]]:
    folder = settings.data_dir / "log"
    first = await FileLog.open(folder / "commands.log", DEADLINE_MS, file_size_bytes=file_size_bytes)
    second = await FileLog.open(folder / "events.log", DEADLINE_MS, file_size_bytes=file_size_bytes)
    try:
        yield first, second
    finally:
        await first.close()
        await second.close()


def lose_logs(settings: Settings) -> None:
    shutil.rmtree(settings.data_dir / "log")


async def test_rebuild_from_the_log_gives_the_same_tables_and_hash(settings: Settings) -> None:
    async with file_logs(settings) as logs:
        original = await trade(settings, *logs)
    said = await rebuilt(settings, "run", "log")
    assert original.event_hash.hex() in said
    first = await tables(settings)
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    await connection.execute("UPDATE balances SET available_atoms = available_atoms + 1")
    await connection.execute(
        "INSERT INTO users (email, password_hash, created_ms) VALUES ('a@example.com', 'x', 1)"
    )
    await connection.close()
    assert original.event_hash.hex() in await rebuilt(settings, "run", "log")
    assert await tables(settings) == first
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    assert await connection.fetchval("SELECT count(*) FROM users") == 1, "users are no projection"
    await connection.close()


async def test_rebuild_into_an_empty_database_gives_no_number_out_twice(settings: Settings) -> None:
    async with file_logs(settings) as logs:
        await trade(settings, *logs, count=300)
    await rebuilt(settings, "run", "log")
    await empty_database(settings)
    await rebuilt(settings, "run", "log")
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    newest_user = await connection.fetchval("SELECT max(user_id) FROM balances")
    newest_deposit = await connection.fetchval("SELECT max(deposit_id) FROM deposits")
    user_id = await connection.fetchval(
        "INSERT INTO users (email, password_hash, created_ms) VALUES ('b@example.com', 'x', 1) "
        "RETURNING user_id"
    )
    assert newest_user is not None
    assert user_id > newest_user
    assert await connection.fetchval("SELECT nextval('deposit_ids')") > newest_deposit
    await connection.close()


@pytest.mark.parametrize("place", ["folder", "s3"])
async def test_rebuild_from_the_archive_alone_gives_the_same_event_and_state_hash(
    settings: Settings, place: str, request: pytest.FixtureRequest
) -> None:
    if place == "s3":
        bucket, endpoint = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_endpoint")
        settings = settings.model_copy(
            update={"object_store": f"s3://{bucket}/exchange", "s3_endpoint_url": endpoint}
        )
    async with file_logs(settings) as logs:
        original = await trade(settings, *logs)
    await rebuilt(settings, "run", "log")
    before = await tables(settings)
    lose_logs(settings)
    await empty_database(settings)
    async with open_object_store(settings) as store:
        await store.put(
            f"{audit_prefix(settings.shard)}audit-00000000000000000009", b"of events that were not archived"
        )
    said = await rebuilt(settings, "run", "archive")
    async with open_object_store(settings) as store:
        assert await store.keys(audit_prefix(settings.shard)) == [], "the auditor begins anew"
    assert f"event hash {original.event_hash.hex()} at seq" in said
    assert f"state hash {original.state_hash} at seq" in said
    assert "as in the newest snapshot" in said
    assert await tables(settings) == before
    async with file_logs(settings) as logs:
        assert await everything(logs[0]) == original.commands
        assert await everything(logs[1]) == original.events
        # And it trades on: the engine accepts its logs, the archive its place.
        again = await trade(settings, *logs, count=10)
    assert again.commands[: len(original.commands)] == original.commands


async def test_rebuild_from_the_archive_alone_on_kafka_keeps_offsets_and_times(
    settings: Settings, kafka_bootstrap: str, s3_bucket: str, s3_endpoint: str
) -> None:
    settings = settings.model_copy(
        update={
            "kafka_bootstrap": kafka_bootstrap,
            "object_store": f"s3://{s3_bucket}/exchange",
            "s3_endpoint_url": s3_endpoint,
            "archive_segment_age_ms": 500,
        }
    )
    shard_before = settings.shard
    topics = [commands_topic(shard_before), events_topic(shard_before)]
    await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topics, replicas=1)
    logs = [KafkaLog(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topic) for topic in topics]
    command_log, event_log = logs
    original = await trade(settings, command_log, event_log)
    await delete_topics(kafka_bootstrap, topics)

    said = await rebuilt(settings, "stack", "archive")
    assert f"event hash {original.event_hash.hex()} at seq" in said
    assert f"state hash {original.state_hash} at seq" in said
    assert await everything(logs[0]) == original.commands
    assert await everything(logs[1]) == original.events
    await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topics, replicas=1)
    # From now on the broker stamps: a record of the future gets the present.
    writer = await logs[0].writer()
    await writer.append(b"x")
    await writer.close()
    newest = await logs[0].last()
    assert newest is not None
    assert newest.offset == len(original.commands)
    assert newest.timestamp_ms >= original.commands[-1].timestamp_ms
    with pytest.raises(LogError, match="never replaced from the archive"):
        await rebuilt(settings, "stack", "archive")


async def delete_topics(bootstrap: str, topics: list[str]) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics(topics)
    await admin.close()


async def test_half_restored_topic_is_refused_by_the_exchange_and_restored_anew(kafka_bootstrap: str) -> None:
    topic = f"exchange.test.{uuid.uuid4().hex[:12]}"
    records = [LogRecord(offset, 1_700_000_000_000 + offset, bytes([offset])) for offset in range(20)]

    async def restorer() -> KafkaRestorer:
        return await KafkaRestorer.open(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topic, replicas=1)

    first = await restorer()
    await first.append(records[:15])
    await first.close()
    with pytest.raises(LogError, match="was not restored to its end"):
        await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), [topic], replicas=1)
    second = await restorer()
    await second.append(records[:4])
    await second.append(records[4:])
    await second.finish()
    await second.close()
    await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), [topic], replicas=1)
    assert await everything(KafkaLog(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topic)) == records


async def test_half_restored_file_is_no_log(tmp_path: Path) -> None:
    records = [LogRecord(offset, 1_000 + offset, bytes([offset])) for offset in range(20)]
    path = tmp_path / "commands.log"
    first = FileRestorer(path)
    await first.append(records[:5])
    await first.close()
    assert not path.exists()
    second = FileRestorer(path)
    await second.append(records)
    with pytest.raises(LogError, match="expected record 20"):
        await second.append(records)
    await second.finish()
    await second.close()
    log = await FileLog.open(path, DEADLINE_MS)
    assert await everything(log) == records
    await log.close()
    with pytest.raises(LogError, match="never replaced"):
        FileRestorer(path)


async def test_archive_that_ends_early_loses_only_its_tail(settings: Settings) -> None:
    """Commands and events are archived apart; whichever is behind, the rest fits together."""
    settings = settings.model_copy(update={"archive_segment_size_bytes": 3_000})
    async with file_logs(settings) as logs:
        original = await trade(settings, *logs)
    for log in ("commands", "events"):
        segments = sorted((settings.data_dir / "archive" / str(settings.shard) / log).iterdir())
        # Few enough that every snapshot is ahead of them.
        kept = len(segments) // 8
        assert kept, f"{len(segments)} segments are too few for this test"
        for path in segments[kept:]:
            path.unlink()
        lose_logs(settings)
        said = await rebuilt(settings, "run", "archive")
        assert "dropped snapshots/" in said or log == "events"
        async with file_logs(settings) as logs:
            restored_commands, restored_events = await everything(logs[0]), await everything(logs[1])
            assert restored_commands == original.commands[: len(restored_commands)]
            assert restored_events == original.events[: len(restored_events)]
            assert len(restored_commands) < len(original.commands)
            async with open_object_store(settings) as store:
                engine = EngineRunner(
                    *logs, Snapshots(store, f"snapshots/{settings.shard}/"),
                    shard_number=settings.shard, snapshot_every_commands=10**9,
                )  # fmt: skip
                async with running(engine):
                    assert engine.shard.next_command_offset == len(restored_commands)
                    newest = await newest_event(logs[1])
                    assert (newest.seq, newest.hash) == (engine.shard.engine.seq, engine.shard.chain)


async def test_damaged_or_empty_archive_leaves_no_logs_behind(settings: Settings) -> None:
    with pytest.raises(ArchiveError, match="holds no commands"):
        await rebuilt(settings, "run", "archive")
    async with file_logs(settings) as logs:
        await trade(settings, *logs, count=500)
    lose_logs(settings)
    victim = sorted((settings.data_dir / "archive" / str(settings.shard) / "events").iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(ArchiveError, match="damaged"):
        await rebuilt(settings, "run", "archive")
    assert not list((settings.data_dir / "log").glob("*.log"))
