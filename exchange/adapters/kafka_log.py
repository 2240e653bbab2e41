"""A log on Apache Kafka: one topic, one partition, no consumer group, no transactions (decision 5).

aiokafka's producer retries for ever and its `stop()` can hang, so every call has a deadline here;
after a failed append the process must exit (design decision 6).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from exchange.ports import LogError, LogReader, LogRecord, LogTimeoutError, LogWriter

__all__ = ["KafkaLog"]

_FETCH_SIZE_BYTES_MAX = 4 * 1024 * 1024
_RECORD_SIZE_BYTES_MAX = 1_048_576
_STOP_DEADLINE_S = 3.0
_T = TypeVar("_T")


class KafkaLog:
    """A `Log` kept by a broker. The topic must exist with one partition and LogAppendTime."""

    def __init__(self, bootstrap_servers: str, topic: str, deadline_ms: int) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._partition = TopicPartition(topic, 0)
        self._deadline_ms = deadline_ms

    async def writer(self) -> LogWriter:
        """Open an idempotent producer with acks=all."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=_RECORD_SIZE_BYTES_MAX,
            request_timeout_ms=self._deadline_ms,
        )
        await self._opened(producer, producer.start())
        return _KafkaWriter(producer, self._partition.topic, self._deadline_ms)

    async def reader(self, offset: int) -> LogReader:
        """Open a consumer assigned to the partition, at `offset`."""
        consumer = await self._consumer()
        await self._opened(consumer, self._seek(consumer, offset))
        return _KafkaReader(consumer, self._partition)

    async def end_offset(self) -> int:
        """Offset behind the newest record."""
        consumer = await self._consumer()
        ends = await self._opened(consumer, consumer.end_offsets([self._partition]))
        await _stop(consumer)
        return int(ends[self._partition])

    async def last(self) -> LogRecord | None:
        """The newest record."""
        end = await self.end_offset()
        if end == 0:
            return None
        reader = await self.reader(end - 1)
        try:
            records = await reader.read(self._deadline_ms)
        finally:
            await reader.close()
        if not records:
            raise LogTimeoutError(f"{self._partition.topic}: record {end - 1} did not come")
        return records[-1]

    async def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            max_partition_fetch_bytes=_FETCH_SIZE_BYTES_MAX,
            fetch_max_wait_ms=500,
            request_timeout_ms=max(self._deadline_ms, 1_000),
        )
        await self._opened(consumer, consumer.start())
        consumer.assign([self._partition])
        return consumer

    async def _seek(self, consumer: AIOKafkaConsumer, offset: int) -> None:
        first = (await consumer.beginning_offsets([self._partition]))[self._partition]
        if offset < first:
            raise LogError(f"{self._partition.topic}: offset {offset} is gone, the log starts at {first}")
        consumer.seek(self._partition, offset)

    async def _opened(
        self, client: AIOKafkaProducer | AIOKafkaConsumer, opening: Coroutine[Any, Any, _T]
    ) -> _T:
        """Carry `opening` out; a client that does not get through it, or is cancelled in it, is stopped."""
        try:
            opened = await _carried_out(opening, self._deadline_ms / 1000)
            if opened is None:
                raise LogTimeoutError(f"{self._partition.topic}: the broker does not answer")
            return opened.result()
        except BaseException as error:
            await _stop(client)
            if isinstance(error, (TimeoutError, KafkaError, OSError)):
                raise LogError(f"{self._partition.topic}: the broker does not answer: {error!r}") from error
            raise


class _KafkaWriter:
    def __init__(self, producer: AIOKafkaProducer, topic: str, deadline_ms: int) -> None:
        self._producer = producer
        self._topic = topic
        self._deadline_s = deadline_ms / 1000

    async def append(self, value: bytes) -> int:
        try:
            async with asyncio.timeout(self._deadline_s):
                sent = await self._producer.send(self._topic, value, partition=0)
                metadata = await sent
                return int(metadata.offset)
        except TimeoutError:
            raise LogTimeoutError(f"{self._topic}: no acknowledgement in time") from None
        except (KafkaError, OSError) as error:
            raise LogError(f"{self._topic}: {error!r}") from error

    async def close(self) -> None:
        await _stop(self._producer)


class _KafkaReader:
    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        self._consumer = consumer
        self._partition = partition

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        try:
            batches = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)
        except (KafkaError, OSError) as error:
            raise LogError(f"{self._partition.topic}: {error!r}") from error
        return [
            LogRecord(record.offset, record.timestamp, record.value or b"")
            for record in batches.get(self._partition, [])
        ]

    async def close(self) -> None:
        await _stop(self._consumer)


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stop a client that may hang while stopping, or end with the cancellation of a task of its own.

    The latter is what a consumer of aiokafka 0.14 does whose last fetch has failed, before it closes its
    connections. It must not pass for a cancellation of ours, which would end the process without a word.
    """
    if not await _ended_by_itself(client.stop()) and isinstance(client, AIOKafkaConsumer):
        await _ended_by_itself(client._client.close())


async def _ended_by_itself(stopping: Coroutine[Any, Any, None]) -> bool:
    """False when it was cancelled or did not end in time. Its Kafka and network errors mean nothing now."""
    task = await _carried_out(stopping, _STOP_DEADLINE_S)
    if task is None:
        return False
    error = task.exception()
    if error is not None and not isinstance(error, (KafkaError, OSError)):
        raise error
    return True


async def _carried_out(work: Coroutine[Any, Any, _T], deadline_s: float) -> asyncio.Task[_T] | None:
    """The work as a task of its own, done; None when it was cancelled, which it is when the time is up.

    A cancellation of ours waits for it: aiokafka leaves sockets open when it is interrupted.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=deadline_s)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_STOP_DEADLINE_S)
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_STOP_DEADLINE_S)
        if task.done() and not task.cancelled():
            task.exception()  # seen, so that nobody misses it
    return task if task.done() and not task.cancelled() else None
