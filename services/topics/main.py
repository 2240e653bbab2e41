"""`python -m services.topics.main`: make sure that the logs of EXCHANGE_SHARD are there, then end."""

import asyncio
import sys
from typing import Final

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.topics import commands_topic, events_topic
from exchange.ports.world import LogError
from exchange.process.config import Settings, SettingsError

__all__ = ["main"]

_DEADLINE_MS: Final = 30_000


def main() -> int:
    """Create what is missing; 0 when both topics exist, 1 with a reason when they do not."""
    try:
        settings = Settings.load()
        topics = [commands_topic(settings.shard), events_topic(settings.shard)]
        cluster = KafkaCluster.from_settings(settings, _DEADLINE_MS)
        asyncio.run(ensure_topics(cluster, topics, replicas=settings.topic_replicas))
    except (LogError, SettingsError) as error:
        print(f"topics: {error}", file=sys.stderr)
        return 1
    print(f"topics: {', '.join(topics)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
