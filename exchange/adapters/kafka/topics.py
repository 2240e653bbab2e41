"""The topics of a shard, created with the settings of design decision 3."""

from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.contracts.limits import TOPIC_MESSAGE_SIZE_BYTES_MAX
from exchange.ports.world import LogError

__all__ = ["APPEND_TIME", "CREATE_TIME", "ensure_topics", "timestamp_type", "topic_settings"]

APPEND_TIME: Final = "LogAppendTime"
CREATE_TIME: Final = "CreateTime"
TIMESTAMP_TYPE: Final = "message.timestamp.type"
_TOPIC_ALREADY_EXISTS: Final = 36
_UNKNOWN_TOPIC: Final = 3


def topic_settings(replicas: int, timestamps: str = APPEND_TIME) -> dict[str, str]:
    """One shard's log: kept for ever, which outlives every snapshot; time stamps of its own.

    CREATE_TIME is for a log that is being restored (kafka_restore.py).
    """
    return {
        TIMESTAMP_TYPE: timestamps,
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(TOPIC_MESSAGE_SIZE_BYTES_MAX),
    }


async def ensure_topics(cluster: KafkaCluster, topics: list[str], *, replicas: int) -> None:
    """Create what is missing, with one partition each.

    Raises LogError, also when a topic was left half-restored.
    """
    async with cluster.admin() as admin:
        wanted = [NewTopic(name, 1, replicas, topic_configs=topic_settings(replicas)) for name in topics]
        response = await admin.create_topics(wanted, timeout_ms=cluster.deadline_ms)
        for topic, code, *_ in response.topic_errors:
            if code not in (0, _TOPIC_ALREADY_EXISTS):
                raise LogError(f"topic {topic} cannot be created: {for_code(code).__name__}")
            if code and await timestamp_type(admin, topic) != APPEND_TIME:
                raise LogError(
                    f"topic {topic} does not stamp its records: it was not restored to its end; do it again"
                )


async def timestamp_type(admin: AIOKafkaAdminClient, topic: str) -> str | None:
    """Who stamps the topic's records: APPEND_TIME (the log) or CREATE_TIME; None without such a topic."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {TIMESTAMP_TYPE: None})
    (response,) = await admin.describe_configs([resource])
    code, message, _, _, entries = response.resources[0]
    if code == _UNKNOWN_TOPIC:
        return None
    if code:
        raise LogError(f"topic {topic} cannot be described: {message or for_code(code).__name__}")
    return str(next(value for name, value, *_ in entries if name == TIMESTAMP_TYPE))
