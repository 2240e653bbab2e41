"""Promises of exchange/adapters/kafka/log.py against a real broker."""

import asyncio
import gc
import time
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NodeNotReadyError

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog, _KafkaReader, _KafkaWriter
from exchange.ports.world import LogError, LogReader, LogRecord, LogWriter
from local.servers import free_port
from tests.at_work import WAIT_S, eventually

pytestmark = pytest.mark.integration
DEADLINE_MS = 10_000


@pytest.fixture
async def log(kafka_bootstrap: str) -> KafkaLog:
    """An empty log of the test's own."""
    topic = f"exchange.test.{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=settings)], timeout_ms=DEADLINE_MS)
    finally:
        await admin.close()
    return KafkaLog(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topic)


async def read(log: KafkaLog, offset: int, count: int) -> list[LogRecord]:
    reader = await log.reader(offset)
    found: list[LogRecord] = []
    try:
        async with asyncio.timeout(DEADLINE_MS / 1000):
            while len(found) < count:
                found += await reader.read(1_000)
    finally:
        await reader.close()
    return found


async def read_on(reader: LogReader, found: list[int], times: int) -> None:
    for _ in range(times):
        found += [record.offset for record in await reader.read(DEADLINE_MS)]


async def append(log: KafkaLog, *values: bytes) -> list[int]:
    writer = await log.writer()
    try:
        return [await writer.append(value) for value in values]
    finally:
        await writer.close()


async def test_empty_log_has_no_records(log: KafkaLog) -> None:
    assert (await log.end_offset(), await log.last()) == (0, None)
    reader = await log.reader(0)
    async with asyncio.timeout(WAIT_S):
        assert await reader.read(300) == []
    await reader.close()


async def test_records_come_back_in_order_with_gapless_offsets(log: KafkaLog) -> None:
    values = [str(number).encode() * 10 for number in range(200)]
    assert await append(log, *values) == list(range(200))
    records = await read(log, 0, 200)
    assert [(r.offset, r.value) for r in records] == list(enumerate(values))
    assert [r.value for r in await read(log, 150, 50)] == values[150:]
    assert await log.end_offset() == 200
    assert await log.last() == records[-1]


async def test_broker_stamps_the_records(log: KafkaLog) -> None:
    await append(log, b"a", b"b")
    stamps = [r.timestamp_ms for r in await read(log, 0, 2)]
    assert stamps == sorted(stamps)
    assert abs(stamps[0] - time.time() * 1000) < 60_000


async def test_second_writer_goes_on_where_the_first_ended(log: KafkaLog) -> None:
    assert await append(log, b"a") == [0]
    assert await append(log, b"b") == [1]


async def test_waiting_reader_wakes_up(log: KafkaLog) -> None:
    reader = await log.reader(0)
    reading = asyncio.create_task(reader.read(DEADLINE_MS))
    await asyncio.sleep(0.1)
    await append(log, b"news")
    assert [r.value for r in await reading] == [b"news"]
    await reader.close()


async def test_record_of_the_largest_size_fits_and_a_larger_one_is_an_error(log: KafkaLog) -> None:
    from exchange.contracts.limits import RECORD_SIZE_BYTES_MAX

    assert await append(log, b"x" * RECORD_SIZE_BYTES_MAX) == [0]
    assert len((await read(log, 0, 1))[0].value) == RECORD_SIZE_BYTES_MAX
    with pytest.raises(LogError):
        await append(log, b"x" * 1_200_000)


async def test_dead_broker_is_an_error_within_the_deadline() -> None:
    log = KafkaLog(KafkaCluster(f"127.0.0.1:{free_port()}", 1_000), "exchange.test.dead")
    for call in (log.writer, log.end_offset, log.last, lambda: log.reader(0)):
        # Without a deadline of its own it would try for ever.
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(LogError):
                await call()


async def test_reader_whose_fetches_fail_closes_without_cancelling_its_caller(
    log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka ends such a `stop()` with the cancellation of its own task; a process would end in silence."""
    reader = await log.reader(0)
    assert isinstance(reader, _KafkaReader)
    client = reader._consumer._client
    failed = asyncio.Event()

    async def fail(*_: object, **__: object) -> None:
        failed.set()
        raise NodeNotReadyError("the broker is away")

    monkeypatch.setattr(client, "send", fail)
    async with asyncio.timeout(DEADLINE_MS / 1000):
        await failed.wait()
    await asyncio.sleep(0.02)
    await reader.close()
    assert not any(connection.connected() for connection in client._conns.values())


async def test_opening_and_closing_may_be_cancelled_at_any_moment_and_leave_no_client_open(
    log: KafkaLog,
) -> None:
    # A client left open says so when it is collected, and a warning fails the test; what other tests have
    # left behind is none of this one's.
    gc.freeze()
    started = time.monotonic()
    await append(log, b"a")
    await (await log.reader(0)).close()
    elapsed_s = time.monotonic() - started
    openings: tuple[Callable[[], Coroutine[Any, Any, LogReader | LogWriter]], ...]
    openings = (partial(log.reader, 0), log.writer)
    for opening in openings:
        for step in range(12):
            task: asyncio.Task[LogReader | LogWriter] = asyncio.create_task(opening())
            await asyncio.sleep(elapsed_s * step / 12)
            if not task.cancel():
                closing = asyncio.create_task((await task).close())
                await asyncio.sleep(0)
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
            await asyncio.gather(task, return_exceptions=True)
            gc.collect()


async def test_a_writer_without_a_leader_asks_for_one_some_times_a_second_and_does_not_spin(
    log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await log.writer()
    assert isinstance(writer, _KafkaWriter)
    client = writer._producer.client
    await client.set_topics([log._partition.topic])
    tries = 0

    async def refused(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1

    monkeypatch.setattr(client, "_get_conn", refused)
    monkeypatch.setattr(client.cluster, "leader_for_partition", lambda _: None)
    appending = asyncio.create_task(writer.append(b"a"))
    await asyncio.sleep(2)
    await eventually(lambda: tries >= 2)
    assert tries <= 100
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)
    monkeypatch.undo()
    await writer.close()
    del appending, client, writer
    gc.collect()  # says of a client that was left open, and a warning fails the test


async def test_a_probe_tells_the_end_and_single_records_again_and_again(log: KafkaLog) -> None:
    probe = await log.probe()
    assert await probe.end_offset() == 0
    await append(log, *(str(number).encode() for number in range(50)))
    assert await probe.end_offset() == 50
    for offset in (49, 3, 20, 49):
        record = await probe.record(offset)
        assert (record.offset, record.value) == (offset, str(offset).encode())
    await append(log, b"more")
    assert await probe.end_offset() == 51
    assert (await probe.record(50)).value == b"more"
    await probe.close()


async def test_reader_whose_next_record_was_removed_fails_and_does_not_jump(log: KafkaLog) -> None:
    """No `auto_offset_reset`: neither to the oldest record nor to the newest one."""
    count, removed = 30, 25
    await append(log, *[bytes([number]) * 500_000 for number in range(count)])
    reader = await log.reader(0)
    found = [record.offset for record in await reader.read(DEADLINE_MS)]
    await log.remove_before(removed)
    # What the broker had sent already still comes, in order; it never sends more than some mebibytes ahead.
    with pytest.raises(LogError, match="OffsetOutOfRange"):
        await read_on(reader, found, count)
    assert found == list(range(len(found)))
    assert len(found) < removed
    await reader.close()
    assert await log.first_offset() == removed
    with pytest.raises(LogError, match="offset 24 is gone, the log starts at 25"):
        await log.reader(removed - 1)
    assert [record.offset for record in await read(log, removed, 5)] == list(range(removed, count))
    await log.remove_before(count)
    assert (await log.first_offset(), await log.end_offset(), await log.last()) == (count, count, None)
    assert await append(log, b"on we go") == [count]
