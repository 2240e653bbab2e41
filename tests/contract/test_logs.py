"""What every log refuses, the ones of the tests too: a fake that takes more than Kafka hides what Kafka would
say."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from exchange.adapters.files.log import FileLog
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.limits import LOG_RECORD_FRAME_SIZE_BYTES, LOG_RECORD_SIZE_BYTES_MAX
from exchange.ports.world import Log, LogError
from exchange.process import tracing
from tests.simulation.adapters.log import SimulatedLog
from tests.simulation.faults import Faults
from tests.simulation.loop import Process, SimulatedLoop

pytestmark = pytest.mark.integration
DEADLINE_MS = 10_000
GATHER_MS = 300
GATHERED_RECORDS = 60


@pytest.fixture(params=["memory", "file", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    """An empty log of the test's own."""
    if request.param == "memory":
        yield MemoryLog(lambda: 1)
    elif request.param == "file":
        opened = await FileLog.open(tmp_path / "log", DEADLINE_MS)
        yield opened
        await opened.close()
    else:
        cluster = KafkaCluster(request.getfixturevalue("kafka_bootstrap"), DEADLINE_MS)
        topic = f"exchange.test.{uuid.uuid4().hex[:12]}"
        await ensure_topics(cluster, [topic], replicas=1)
        yield KafkaLog(cluster, topic)


async def the_largest_record_is_taken_and_no_larger_one(log: Log) -> None:
    writer = await log.writer()
    with pytest.raises(LogError, match="too big"):
        await writer.append(b"x" * (LOG_RECORD_SIZE_BYTES_MAX + 1))
    assert await log.end_offset() == 0, "nothing was sent"
    assert await writer.append(b"x" * LOG_RECORD_SIZE_BYTES_MAX) == 0
    assert await writer.append(b"") == 1, "the writer that refused one goes on"
    reader = await log.reader(0)
    sizes: list[int] = []
    while len(sizes) < 2:
        sizes += [len(record.value) for record in await reader.read(1_000)]
    assert sizes == [LOG_RECORD_SIZE_BYTES_MAX, 0]
    await reader.close()
    await writer.close()


async def closed_writer_takes_nothing(log: Log) -> None:
    writer = await log.writer()
    await writer.close()
    with pytest.raises(LogError):
        await writer.append(b"late")
    assert await log.end_offset() == 0


async def reader_beyond_the_end_is_refused(log: Log) -> None:
    writer = await log.writer()
    await writer.append(b"only")
    await writer.close()
    with pytest.raises(LogError):
        await _read_from(log, 7)


async def _read_from(log: Log, offset: int) -> None:
    reader = await log.reader(offset)
    try:
        for _ in range(20):
            assert await reader.read(500) == []
    finally:
        await reader.close()


async def reader_that_gathers_gets_all_in_few_looks(log: Log) -> None:
    writer, reader = await log.writer(), await log.reader(0, GATHER_MS)
    await writer.append(b"0")
    found = [record.value for record in await reader.read(5_000)]
    looks = 0

    async def follow() -> None:
        nonlocal looks
        while len(found) < GATHERED_RECORDS:
            looks += 1
            found.extend(record.value for record in await reader.read(5_000))

    following = asyncio.create_task(follow())
    for number in range(1, GATHERED_RECORDS):
        await writer.append(b"%d" % number)
    await following
    assert found == [b"%d" % number for number in range(GATHERED_RECORDS)]
    assert looks <= GATHERED_RECORDS / 4
    await reader.close()
    await writer.close()


async def reader_that_gathers_keeps_to_its_timeout(log: Log) -> None:
    writer, reader = await log.writer(), await log.reader(0, 3_000)
    await writer.append(b"x" * LOG_RECORD_SIZE_BYTES_MAX)
    assert len(await reader.read(5_000)) == 1, "what fills a fetch comes at once"
    await writer.append(b"small")
    assert await reader.read(10) == []
    await reader.close()
    await writer.close()


PROMISES = [
    reader_that_gathers_gets_all_in_few_looks,
    reader_that_gathers_keeps_to_its_timeout,
    the_largest_record_is_taken_and_no_larger_one,
    closed_writer_takes_nothing,
    reader_beyond_the_end_is_refused,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_every_log_refuses_alike(log: Log, promise) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(60):
        await promise(log)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_simulated_log_refuses_what_the_others_do(promise) -> None:  # type: ignore[no-untyped-def]
    loop, faults = SimulatedLoop.seeded("calm"), Faults.of("calm")
    faults.active = False
    wires = cast(Any, SimpleNamespace(loop=loop, faults=faults, crash_soon=None))
    log = SimulatedLog(wires, "log", lambda: 1, lambda record: None, repeats=False)
    process = Process("writer")
    done = loop.start(process, promise(log.of(process)))
    assert loop.run(done.done, 600.0, 10_000)
    done.result()
    loop.close()


def test_headers_fit_beside_the_largest_record() -> None:
    assert tracing._HEADER_SIZE_BYTES_MAX + 1_024 < LOG_RECORD_FRAME_SIZE_BYTES
