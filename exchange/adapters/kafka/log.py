"""A log on Apache Kafka: one topic, one partition, no consumer group, no transactions (decision 5).

aiokafka's producer retries for ever, so every call has a deadline here; after a failed append the process
must exit (design decision 6).
"""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError

from exchange.adapters.kafka.cluster import KafkaCluster, stop
from exchange.contracts.topics import commands_topic, events_topic
from exchange.ports.world import (
    Headers,
    LabelledRecord,
    LogError,
    LogProbe,
    LogReader,
    LogRecord,
    LogTimeoutError,
    LogWriter,
    check_record,
)
from exchange.process.config import Settings
from exchange.process.loop.deadlines import Deadlines

__all__ = ["KafkaLog", "shard_logs"]


class KafkaLog:
    """A `Log` kept by brokers. The topic must exist with one partition and LogAppendTime."""

    def __init__(self, cluster: KafkaCluster, topic: str) -> None:
        self._cluster = cluster
        self._partition = TopicPartition(topic, 0)

    async def writer(self) -> LogWriter:
        """Open a producer that sends at once."""
        producer = await self._cluster.producer(linger_ms=0)
        return _KafkaWriter(producer, self._partition.topic, self._cluster.deadline_ms)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        """Open a consumer assigned to the partition, at `offset`. The broker itself gathers for it."""
        consumer = await self._cluster.consumer(self._partition, gather_ms)
        await self._cluster.answer(consumer, self._seek(consumer, offset))
        return _KafkaReader(consumer, self._partition)

    async def first_offset(self) -> int:
        """Offset of the oldest record that is kept."""
        consumer = await self._cluster.consumer(self._partition)
        firsts = await self._cluster.answer(consumer, consumer.beginning_offsets([self._partition]))
        await stop(consumer)
        return int(firsts[self._partition])

    async def remove_before(self, offset: int) -> None:
        """Forget the records before `offset`, for good. Raises LogError."""
        async with self._cluster.admin() as admin:
            await admin.delete_records({self._partition: RecordsToDelete(offset)})

    async def probe(self) -> LogProbe:
        """Open a consumer that stands still, and so fetches nothing."""
        consumer = await self._cluster.consumer(self._partition)
        consumer.pause(self._partition)
        return _KafkaProbe(consumer, self._partition, self._cluster.deadline_ms)

    async def end_offset(self) -> int:
        """Offset behind the newest record."""
        consumer = await self._cluster.consumer(self._partition)
        ends = await self._cluster.answer(consumer, consumer.end_offsets([self._partition]))
        await stop(consumer)
        return int(ends[self._partition])

    async def last(self) -> LogRecord | None:
        """The newest record."""
        end = await self.end_offset()
        if end == await self.first_offset():
            return None
        reader = await self.reader(end - 1)
        try:
            records = await reader.read(self._cluster.deadline_ms)
        finally:
            await reader.close()
        if not records:
            raise LogTimeoutError(f"{self._partition.topic}: record {end - 1} did not come")
        return records[-1]

    async def _seek(self, consumer: AIOKafkaConsumer, offset: int) -> None:
        first = (await consumer.beginning_offsets([self._partition]))[self._partition]
        if offset < first:
            raise LogError(f"{self._partition.topic}: offset {offset} is gone, the log starts at {first}")
        consumer.seek(self._partition, offset)


def shard_logs(settings: Settings) -> tuple[KafkaLog, KafkaLog]:
    """Command log and event log of the shard that the settings name. Raises SettingsError."""
    cluster = KafkaCluster.from_settings(settings)
    return (
        KafkaLog(cluster, commands_topic(settings.shard)),
        KafkaLog(cluster, events_topic(settings.shard)),
    )


class _KafkaWriter:
    def __init__(self, producer: AIOKafkaProducer, topic: str, deadline_ms: int) -> None:
        self._producer = producer
        self._topic = topic
        # One timer for all records: with a timeout for each, a thousand records were a thousand timers.
        self._deadlines = Deadlines(deadline_ms / 1000)

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        check_record(value)
        try:
            with self._deadlines.allowance():
                sent = await self._producer.send(self._topic, value, partition=0, headers=list(headers))
                metadata = await sent
                return int(metadata.offset)
        except TimeoutError:
            raise LogTimeoutError(f"{self._topic}: no acknowledgement in time") from None
        except (KafkaError, OSError) as error:
            raise LogError(f"{self._topic}: {error!r}") from error

    async def close(self) -> None:
        await stop(self._producer)


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
            LabelledRecord.of(record.offset, record.timestamp, record.value or b"", _headers(record.headers))
            for record in batches.get(self._partition, [])
        ]

    async def close(self) -> None:
        await stop(self._consumer)


class _KafkaProbe:
    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition, deadline_ms: int) -> None:
        self._consumer = consumer
        self._partition = partition
        self._deadline_ms = deadline_ms

    async def end_offset(self) -> int:
        try:
            async with asyncio.timeout(self._deadline_ms / 1000):
                ends = await self._consumer.end_offsets([self._partition])
        except TimeoutError:
            raise LogTimeoutError(f"{self._partition.topic}: its end is not told in time") from None
        except (KafkaError, OSError) as error:
            raise LogError(f"{self._partition.topic}: {error!r}") from error
        return int(ends[self._partition])

    async def record(self, offset: int) -> LogRecord:
        consumer, partition = self._consumer, self._partition
        consumer.seek(partition, offset)
        consumer.resume(partition)
        try:
            batches = await consumer.getmany(partition, timeout_ms=self._deadline_ms, max_records=1)
        except (KafkaError, OSError) as error:
            raise LogError(f"{partition.topic}: {error!r}") from error
        finally:
            consumer.pause(partition)
        for found in batches.get(partition, []):
            return LabelledRecord.of(
                found.offset, found.timestamp, found.value or b"", _headers(found.headers)
            )
        raise LogTimeoutError(f"{partition.topic}: record {offset} did not come")

    async def close(self) -> None:
        await stop(self._consumer)


def _headers(found: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Kafka's headers may lack a value."""
    return tuple((name, value or b"") for name, value in found) if found else ()
