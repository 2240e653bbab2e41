"""Topics that are there already: each of their settings is what the logs need, or nothing starts."""

import re
import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.topics import ensure_topics, topic_settings
from exchange.ports.world import LogError

pytestmark = pytest.mark.integration
DEADLINE_MS = 20_000
# What somebody may have set, and what we need.
WRONG = {
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "true",
    "cleanup.policy": "compact",
    "retention.ms": "604800000",
    "retention.bytes": "1000000000",
    "max.message.bytes": "100000",
    "compression.type": "gzip",
}


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    opened = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await opened.start()
    yield opened
    await opened.close()


async def made(admin: AIOKafkaAdminClient, settings: dict[str, str], partitions: int = 1) -> str:
    topic = f"exchange.test.{uuid.uuid4().hex[:12]}"
    await admin.create_topics(
        [NewTopic(topic, partitions, 1, topic_configs=settings)], timeout_ms=DEADLINE_MS
    )
    return topic


async def test_topics_of_ours_may_be_ensured_again(kafka_bootstrap: str) -> None:
    topics = [f"exchange.test.{uuid.uuid4().hex[:12]}" for _ in range(2)]
    cluster = KafkaCluster(kafka_bootstrap, DEADLINE_MS)
    await ensure_topics(cluster, topics[:1], replicas=1)
    for _ in range(2):
        await ensure_topics(cluster, topics, replicas=1)


def test_every_setting_has_a_wrong_value_here() -> None:
    assert WRONG.keys() == topic_settings(1).keys()


@pytest.mark.parametrize("name", WRONG)
async def test_topic_with_one_wrong_setting_is_refused_by_its_name(
    admin: AIOKafkaAdminClient, kafka_bootstrap: str, name: str
) -> None:
    topic = await made(admin, {**topic_settings(1), name: WRONG[name]})
    with pytest.raises(LogError, match=re.escape(f"{name}={WRONG[name]}")) as refusal:
        await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), [topic], replicas=1)
    if name != "message.timestamp.type":  # which is how a half-restored log looks
        assert f"--entity-name {topic} --add-config {name}={topic_settings(1)[name]}" in str(refusal.value)


async def test_topic_that_a_broker_has_made_by_itself_is_refused_and_mended_as_told(
    admin: AIOKafkaAdminClient, kafka_bootstrap: str
) -> None:
    """LogAppendTime among them: the one that was looked at before."""
    theirs = {"message.timestamp.type": "LogAppendTime", "retention.ms": "604800000"}
    topic = await made(admin, {**theirs, "max.message.bytes": "2000000"})
    cluster = KafkaCluster(kafka_bootstrap, DEADLINE_MS)
    with pytest.raises(LogError, match=re.escape("retention.ms=604800000 (not -1)")) as refusal:
        await ensure_topics(cluster, [topic], replicas=1)
    assert "max.message.bytes=2000000 (not 1048588)" in str(refusal.value)
    told = str(refusal.value).rpartition("--add-config ")[2]
    mended = dict(pair.split("=") for pair in told.split(","))
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**theirs, **mended})])
    await ensure_topics(cluster, [topic], replicas=1)


async def test_topic_of_several_partitions_or_too_few_copies_is_refused(
    admin: AIOKafkaAdminClient, kafka_bootstrap: str
) -> None:
    cluster = KafkaCluster(kafka_bootstrap, DEADLINE_MS)
    topic = await made(admin, topic_settings(1), partitions=3)
    with pytest.raises(LogError, match="3 partitions"):
        await ensure_topics(cluster, [topic], replicas=1)
    topic = await made(admin, topic_settings(3))
    with pytest.raises(LogError, match="1 copies"):
        await ensure_topics(cluster, [topic], replicas=3)
