"""A topic filled with archived records, with the offsets and the time stamps that they had.

The engine's clock is the command log's time stamps, so a replay is right only with the recorded ones. A
live topic stamps records itself (LogAppendTime). A restored one begins with CreateTime, takes the stamps
from us, and is switched when all is there; the broker keeps the kind with each batch. A topic that says
CreateTime is therefore one whose restoring did not end: nothing runs on it, and it may be made anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from exchange.adapters.kafka.cluster import KafkaCluster, stop
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import (
    CREATE_TIME,
    timestamp_type,
    topic_settings,
)
from exchange.ports.world import LogError, LogRecord, LogTimeoutError

__all__ = ["KafkaRestorer", "refuse_half_restored", "refuse_live_logs"]

_IN_FLIGHT_MAX: Final = 500
_CREATE_TRIES: Final = 20
_CREATE_PAUSE_S: Final = 0.25


class KafkaRestorer:
    """A `LogRestorer` of one topic. Open it with `KafkaRestorer.open`."""

    def __init__(self, cluster: KafkaCluster, topic: str, replicas: int, producer: AIOKafkaProducer) -> None:
        self._cluster = cluster
        self._topic = topic
        self._replicas = replicas
        self._producer = producer
        self._next_offset = 0

    @classmethod
    async def open(
        cls,
        cluster: KafkaCluster,
        topic: str,
        *,
        replicas: int,
        discard: Mapping[str, int] | None = None,
    ) -> "KafkaRestorer":
        """Make an empty topic. Raises LogError when there is one that holds records of a live log.

        `discard`: as for `refuse_live_logs`.
        """
        await _make_fresh(cluster, topic, replicas, discard)
        return cls(cluster, topic, replicas, await cluster.producer(linger_ms=5))

    async def append(self, records: Sequence[LogRecord]) -> None:
        """Send in order, some hundred at a time, and compare the offsets."""
        for first in range(0, len(records), _IN_FLIGHT_MAX):
            chunk = records[first : first + _IN_FLIGHT_MAX]
            try:
                async with asyncio.timeout(self._cluster.deadline_ms / 1000):
                    sent = [
                        await self._producer.send(
                            self._topic, record.value, partition=0, timestamp_ms=record.timestamp_ms
                        )
                        for record in chunk
                    ]
                    offsets = [int((await each).offset) for each in sent]
            except TimeoutError:
                raise LogTimeoutError(f"{self._topic}: no acknowledgement in time") from None
            except (KafkaError, OSError) as error:
                raise LogError(f"{self._topic}: {error!r}") from error
            if offsets != [record.offset for record in chunk]:
                raise LogError(
                    f"{self._topic}: records from {chunk[0].offset} on got other offsets: "
                    "somebody else writes there"
                )
            self._next_offset = chunk[-1].offset + 1

    async def finish(self) -> None:
        """From now on the broker stamps. Raises LogError when somebody else has written there."""
        end = await KafkaLog(self._cluster, self._topic).end_offset()
        if end != self._next_offset:
            raise LogError(
                f"{self._topic} ends at {end}, not at {self._next_offset}: somebody else writes there"
            )
        settings = topic_settings(self._replicas)
        async with self._cluster.admin() as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, self._topic, settings)
            (response,) = await admin.alter_configs([resource])
            code, message, *_ = response.resources[0]
            if code:
                raise LogError(f"{self._topic} cannot be switched: {message or for_code(code).__name__}")

    async def close(self) -> None:
        """Stop the producer."""
        await stop(self._producer)


async def refuse_live_logs(
    cluster: KafkaCluster, topics: Sequence[str], discard: Mapping[str, int] | None = None
) -> None:
    """Raise LogError for the first topic that holds records of a live log; nothing is changed.

    `discard`: topics whose records may go, each with where it must end; one that has grown may not.
    """
    for topic in topics:
        async with cluster.admin() as admin:
            there = await timestamp_type(admin, topic)
        if there in (None, CREATE_TIME):
            continue
        end = await KafkaLog(cluster, topic).end_offset()
        if end and (discard or {}).get(topic) != end:
            raise LogError(
                f"{topic} holds {end} records: a log that is there is never replaced from the archive. "
                "If it is the exchange's own, rebuild from the log. If it is a copy (MSK Replicator's) or "
                "another exchange's, stop what writes to it, then say that it may go: "
                f"--discard {topic}={end}"
            )


async def refuse_half_restored(cluster: KafkaCluster, topics: Sequence[str]) -> None:
    """Raise LogError unless all topics are live logs, which stamp their records themselves."""
    for topic in topics:
        async with cluster.admin() as admin:
            there = await timestamp_type(admin, topic)
        if there is None:
            raise LogError(f"{topic} is not there: rebuild from the archive")
        if there == CREATE_TIME:
            raise LogError(f"{topic} was not restored to its end: rebuild from the archive again")


async def _make_fresh(
    cluster: KafkaCluster, topic: str, replicas: int, discard: Mapping[str, int] | None
) -> None:
    await refuse_live_logs(cluster, [topic], discard)
    async with cluster.admin() as admin:
        there = await timestamp_type(admin, topic)
        if there is not None:
            response = await admin.delete_topics([topic], timeout_ms=cluster.deadline_ms)
            ((_, code, *_),) = response.topic_error_codes
            if code:
                raise LogError(
                    f"{topic} must go before it is restored, and the brokers do not let it go "
                    f"({for_code(code).__name__}): they need delete.topic.enable=true, and whoever restores "
                    "the right to delete it"
                )
        fresh = NewTopic(topic, 1, replicas, topic_configs=topic_settings(replicas, CREATE_TIME))
        # A deleted name is free a moment later.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(TopicAlreadyExistsError),
            stop=stop_after_attempt(_CREATE_TRIES),
            wait=wait_fixed(_CREATE_PAUSE_S),
            reraise=True,
        ):
            with attempt:
                response = await admin.create_topics([fresh], timeout_ms=cluster.deadline_ms)
                ((_, code, *_),) = response.topic_errors
                if code:
                    raise for_code(code)(topic)
