"""The topics of a shard, created with the settings of design decision 3."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from exchange.ports import LogError

__all__ = ["ensure_topics"]

_TOPIC_ALREADY_EXISTS = 36
_STOP_DEADLINE_S = 3.0


async def ensure_topics(
    bootstrap_servers: str, topics: list[str], *, replicas: int, deadline_ms: int
) -> None:
    """Create what is missing: one partition, the log's own time stamps, kept for ever.

    Retention must outlive the oldest kept snapshot; for ever does. Raises LogError.
    """
    settings = {
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": "1048588",
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=deadline_ms)
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await admin.start()
            wanted = [NewTopic(name, 1, replicas, topic_configs=settings) for name in topics]
            response = await admin.create_topics(wanted, timeout_ms=deadline_ms)
    except (TimeoutError, KafkaError, OSError) as error:
        raise LogError(f"topics cannot be created: {error!r}") from error
    finally:
        await asyncio.wait_for(admin.close(), _STOP_DEADLINE_S)
    for topic, code, *_ in response.topic_errors:
        if code not in (0, _TOPIC_ALREADY_EXISTS):
            raise LogError(f"topic {topic} cannot be created: {for_code(code).__name__}")
