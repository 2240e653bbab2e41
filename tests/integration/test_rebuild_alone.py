"""A rebuild and an exchange never run at once, and nothing is given up that nobody gave up."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from exchange.adapters.files.lease import FileLease
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.restore import KafkaRestorer, refuse_half_restored, refuse_live_logs
from exchange.adapters.kafka.topics import ensure_topics
from exchange.log.event_tail import TailPosition
from exchange.ports.world import LeaseError, LogError, LogRecord
from services.migrations import migrate
from services.rebuild.alone import ExchangeRunsError, run_alone
from services.rebuild.loss import LossError, weigh

pytestmark = pytest.mark.integration

DURATION_MS = 300
DEADLINE_MS = 15_000
SHARD = 3


class Work:
    """Notes that it was begun, and ended."""

    def __init__(self, lasts_s: float = 0.0) -> None:
        self.began = self.ended = False
        self._lasts_s = lasts_s

    async def __call__(self) -> None:
        self.began = True
        await asyncio.sleep(self._lasts_s)
        self.ended = True


async def alone(path: Path, work: Work) -> list[str]:
    said: list[str] = []
    await run_alone(FileLease(path), work, duration_ms=DURATION_MS, say=said.append)
    return said


async def test_a_lease_that_is_renewed_keeps_the_work_from_beginning(tmp_path: Path) -> None:
    path, work = tmp_path / "lease", Work()

    async def lead() -> None:
        record = None
        while True:
            record = await FileLease(path).write("engine", DURATION_MS, record)
            await asyncio.sleep(DURATION_MS / 3000)

    leading = asyncio.create_task(lead())
    await asyncio.sleep(0.05)
    with pytest.raises(ExchangeRunsError, match="engine holds the engine's lease and renews it"):
        await alone(path, work)
    leading.cancel()
    assert not work.began


async def test_a_lease_that_nobody_renews_is_free_and_given_back(tmp_path: Path) -> None:
    path, work = tmp_path / "lease", Work(lasts_s=DURATION_MS / 500)
    await FileLease(path).write("an engine that was killed", DURATION_MS, None)
    said = await alone(path, work)
    assert work.ended
    assert "an engine that was killed held the engine's lease" in said[0]
    left = await FileLease(path).read()
    assert left is not None
    assert left.holder == ""


async def test_a_lease_that_is_lost_in_the_middle_ends_the_work(tmp_path: Path) -> None:
    path, work = tmp_path / "lease", Work(lasts_s=60.0)
    await FileLease(path).write("", DURATION_MS, None)
    working = asyncio.create_task(alone(path, work))
    while not work.began:
        await asyncio.sleep(0.01)
    await FileLease(path).write("engine", 60_000, await FileLease(path).read())
    with pytest.raises(ExchangeRunsError, match="in the middle"):
        await asyncio.wait_for(working, 20.0)
    assert not work.ended


async def test_a_lease_that_cannot_be_read_is_no_free_one(tmp_path: Path) -> None:
    path, work = tmp_path / "lease", Work()
    path.write_bytes(b"?")
    with pytest.raises(LeaseError):
        await alone(path, work)
    assert not work.began


async def test_what_the_tables_know_alone_is_given_up_only_by_order(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    try:
        await migrate(connection)
        await connection.execute("INSERT INTO positions VALUES ($1, 50, $2, 9, 0)", SHARD, bytes(16))
        await connection.execute(
            "INSERT INTO notice_positions (source, last_id, last_hash, next_offset, updated_ms) "
            "VALUES ('events.3', 48, $1, 8, 0), ('logins', 48, $1, 0, 0)",
            bytes(16),
        )
        await connection.execute(
            "INSERT INTO ledger_entries SELECT seq * 100 + place, seq, 0, 1001, place, 1, 5, kind, reference "
            "FROM (VALUES (42, 0, 'TRADE', 'trade:1:6'), (43, 0, 'TRADE', 'trade:1:7'), "
            "(43, 1, 'TRADE', 'trade:1:7'), (43, 2, 'FEE', 'trade:1:7'), (50, 0, 'TRADE', 'trade:2:1'), "
            "(44, 0, 'DEPOSIT', 'deposit:1')) AS e(seq, place, kind, reference)"
        )
        newest, said = TailPosition(40, b"h" * 16, 7), list[str]()
        # What the commands will give again is not lost.
        await weigh(connection, SHARD, TailPosition(49, bytes(16), 9), 50, said.append, accept=False)
        assert said == []
        with pytest.raises(LossError, match=r"8 events \(seq 43 to 50, 2 trades among them\)"):
            await weigh(connection, SHARD, newest, 42, said.append, accept=False)
        position = "SELECT last_id FROM notice_positions ORDER BY source"
        assert [row["last_id"] for row in await connection.fetch(position)] == [48, 48]
        await weigh(connection, SHARD, newest, 42, said.append, accept=True)
        assert said[0].startswith("LOST: 8 events")
        assert [row["last_id"] for row in await connection.fetch(position)] == [40, 48]
    finally:
        await connection.close()


async def test_copied_topic_goes_only_by_its_exact_end(
    kafka_bootstrap: str, new_topic: Callable[[], str]
) -> None:
    topic, cluster = new_topic(), KafkaCluster(kafka_bootstrap, DEADLINE_MS)
    await ensure_topics(cluster, [topic], replicas=1)
    writer = await KafkaLog(cluster, topic).writer()
    for value in (b"a", b"b"):
        await writer.append(value)
    with pytest.raises(LogError, match=rf"--discard {topic}=2$"):
        await refuse_live_logs(cluster, [topic])
    await refuse_live_logs(cluster, [topic], {topic: 2})
    await writer.append(b"c")
    await writer.close()
    with pytest.raises(LogError, match=rf"--discard {topic}=3$"):
        await KafkaRestorer.open(cluster, topic, replicas=1, discard={topic: 2})
    assert await KafkaLog(cluster, topic).end_offset() == 3, "nothing has changed"
    restorer = await KafkaRestorer.open(cluster, topic, replicas=1, discard={topic: 3})
    await restorer.append([LogRecord(0, 1_700_000_000_000, b"restored")])
    stranger = await KafkaLog(cluster, topic).writer()
    await stranger.append(b"of somebody who still runs")
    await stranger.close()
    with pytest.raises(LogError, match="somebody else writes there"):
        await restorer.finish()
    await restorer.close()
    with pytest.raises(LogError, match="was not restored to its end"):
        await ensure_topics(cluster, [topic], replicas=1)
    with pytest.raises(LogError, match="rebuild from the archive again"):
        await refuse_half_restored(cluster, [topic])
    with pytest.raises(LogError, match="is not there"):
        await refuse_half_restored(cluster, [new_topic()])


@pytest.fixture
def new_topic() -> Callable[[], str]:
    return lambda: f"exchange.test.{uuid.uuid4().hex[:12]}"
