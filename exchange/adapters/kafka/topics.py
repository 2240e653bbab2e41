"""The topics of a shard, created with the settings of design decision 3; one that is there must have them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

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
    """One shard's log: the broker deletes nothing by itself (ADR 0020 says who does); its own time stamps.

    CREATE_TIME is for a log that is being restored (restore.py).
    """
    return {
        TIMESTAMP_TYPE: timestamps,
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(TOPIC_MESSAGE_SIZE_BYTES_MAX),
        # Batches stay compressed as they were sent: a broker that compresses anew takes time at each append.
        "compression.type": "producer",
    }


async def ensure_topics(cluster: KafkaCluster, topics: list[str], *, replicas: int) -> None:
    """Create what is missing, with one partition each; what is there must be as we would have made it.

    A topic made by hand, or by a broker that makes topics by itself, has the broker's defaults: a log that
    is deleted after a week, compacted, or stamped by whoever writes. Raises LogError, which names every
    setting that is wrong and the command that mends it, also when a topic was left half-restored.
    """
    async with cluster.admin() as admin:
        settings = topic_settings(replicas)
        wanted = [NewTopic(name, 1, replicas, topic_configs=settings) for name in topics]
        response = await admin.create_topics(wanted, timeout_ms=cluster.deadline_ms)
        problems: list[str] = []
        for topic, code, *_ in response.topic_errors:
            if code not in (0, _TOPIC_ALREADY_EXISTS):
                raise LogError(f"topic {topic} cannot be created: {for_code(code).__name__}")
            if code and await timestamp_type(admin, topic) == CREATE_TIME:
                problems.append(
                    f"topic {topic} does not stamp its records ({TIMESTAMP_TYPE}={CREATE_TIME}): it was not "
                    "restored to its end; do it again"
                )
            elif code:
                problems += await _differences(admin, topic, settings, replicas)
        if problems:
            raise LogError("; ".join(problems))


async def _differences(
    admin: AIOKafkaAdminClient, topic: str, wanted: Mapping[str, str], replicas: int
) -> Sequence[str]:
    """What a topic that is there has otherwise, each with what to do."""
    found = await _described(admin, topic, list(wanted)) or {}
    wrong = {name: value for name, value in wanted.items() if found.get(name) != value}
    problems: list[str] = []
    if wrong:
        are = ", ".join(f"{name}={found.get(name)} (not {value})" for name, value in wrong.items())
        mended = ",".join(f"{name}={value}" for name, value in wrong.items())
        problems.append(
            f"topic {topic} has {are}: mend it with kafka-configs.sh --bootstrap-server <broker> --alter "
            f"--entity-type topics --entity-name {topic} --add-config {mended}"
        )
    (described,) = await admin.describe_topics([topic])
    partitions: list[dict[str, Any]] = described["partitions"]
    if len(partitions) != 1:
        problems.append(
            f"topic {topic} has {len(partitions)} partitions (not 1), which no command can mend: "
            "delete it if it is empty, else restore it from the archive"
        )
    copies = min((len(partition["replicas"]) for partition in partitions), default=0)
    if copies < replicas:
        problems.append(
            f"topic {topic} has {copies} copies (not {replicas}): add some with "
            "kafka-reassign-partitions.sh, or set EXCHANGE_TOPIC_REPLICAS"
        )
    return problems


async def timestamp_type(admin: AIOKafkaAdminClient, topic: str) -> str | None:
    """Who stamps the topic's records: APPEND_TIME (the log) or CREATE_TIME; None without such a topic."""
    found = await _described(admin, topic, [TIMESTAMP_TYPE])
    return None if found is None else found[TIMESTAMP_TYPE]


async def _described(
    admin: AIOKafkaAdminClient, topic: str, names: Sequence[str]
) -> Mapping[str, str] | None:
    """These settings of a topic, None without such a topic. Raises LogError."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names))
    (response,) = await admin.describe_configs([resource])
    code, message, _, _, entries = response.resources[0]
    if code == _UNKNOWN_TOPIC:
        return None
    if code:
        raise LogError(f"topic {topic} cannot be described: {message or for_code(code).__name__}")
    return {name: str(value) for name, value, *_ in entries}
