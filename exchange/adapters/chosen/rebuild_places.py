"""What a rebuild works on where the logs are topics: a deployed exchange, or the local stack's servers."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import shard_logs
from exchange.adapters.kafka.restore import KafkaRestorer, refuse_half_restored, refuse_live_logs
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.contracts.topics import commands_topic, events_topic
from exchange.ports.world import Log, LogRestorer, ObjectStore
from exchange.process.config import Settings

if TYPE_CHECKING:
    import asyncpg
    import redis.asyncio

__all__ = ["KafkaPlaces"]

_DEADLINE_MS: Final = 30_000


class KafkaPlaces:
    """All that the settings name; `archive` and `witnesses` are places as object_store's, "" for the same."""

    def __init__(
        self,
        settings: Settings,
        *,
        archive: str = "",
        witnesses: str = "",
        discard: Mapping[str, int] | None = None,
    ) -> None:
        """`discard`: topics whose records may go, each with where it must end (kafka_restore.py)."""
        self._settings = settings
        self._archive = archive
        self._witnesses = witnesses
        self._discard = discard

    @contextlib.asynccontextmanager
    async def connections(
        self,
    ) -> "AsyncIterator[tuple[asyncpg.Pool[asyncpg.Record], redis.asyncio.Redis]]":
        """Database and cache. Raises one of CONNECTION_ERRORS."""
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            database = await open_pool(settings)
            stack.push_async_callback(close_pool, database, settings.database_deadline_ms)
            cache = open_cache(settings)
            stack.push_async_callback(cache.aclose)
            yield database, cache

    def archive(self) -> contextlib.AbstractAsyncContextManager[ObjectStore]:
        """Where the archive is read."""
        return self._store(self._archive)

    @contextlib.asynccontextmanager
    async def restorers(self) -> AsyncIterator[tuple[LogRestorer, LogRestorer]]:
        """Both topics empty, or neither touched: LogError when one of them holds records of a live log."""
        settings = self._settings
        cluster, topics = self._topics()
        await refuse_live_logs(cluster, topics, self._discard)
        async with contextlib.AsyncExitStack() as stack:
            opened = []
            for topic in topics:
                opened.append(
                    await KafkaRestorer.open(
                        cluster, topic, replicas=settings.topic_replicas, discard=self._discard
                    )
                )
                stack.push_async_callback(opened[-1].close)
            yield opened[0], opened[1]

    @contextlib.asynccontextmanager
    async def logs(self) -> AsyncIterator[tuple[Log, Log]]:
        """The shard's topics. Raises LogError when one is not there, or was not restored to its end."""
        await refuse_half_restored(*self._topics())
        yield shard_logs(self._settings)

    def snapshots(self) -> contextlib.AbstractAsyncContextManager[ObjectStore]:
        """The object store that the settings name."""
        return self._store("")

    def witnesses(self) -> contextlib.AbstractAsyncContextManager[ObjectStore]:
        """The same, or a copy."""
        return self._store(self._witnesses)

    def _topics(self) -> tuple[KafkaCluster, list[str]]:
        shard = self._settings.shard
        cluster = KafkaCluster.from_settings(self._settings, _DEADLINE_MS)
        return cluster, [commands_topic(shard), events_topic(shard)]

    def _store(self, place: str) -> contextlib.AbstractAsyncContextManager[ObjectStore]:
        settings = self._settings
        return open_object_store(settings.model_copy(update={"object_store": place}) if place else settings)
