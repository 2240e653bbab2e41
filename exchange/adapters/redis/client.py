"""Valkey or Redis: one client a process, bounded in connections, time and tries."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Connection, Redis, RedisCluster
from redis.asyncio.cluster import ClusterPubSub
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import EqualJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError, RedisClusterException, TimeoutError

from exchange.process.config import Settings, SettingsError

__all__ = ["open_cache"]

_CONNECTIONS_MAX: Final = 32
_RETRIES: Final = 2
_BACKOFF_BASE_S: Final = 0.02
_BACKOFF_CAP_S: Final = 0.5
_HEALTH_CHECK_S: Final = 15
_SCHEMES: Final = ("redis://", "rediss://")


class _Cancellable(AbstractConnection):
    """Ends the task that was cancelled while its command was written.

    redis-py writes with `asyncio.wait_for`, which before Python 3.12 may lose a cancellation (CPython
    issue 86296). The connection is dropped too: the unread reply must not go to the next caller.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        await super().send_packed_command(command, check_health)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


class _PlainConnection(_Cancellable, Connection):
    pass


class _TlsConnection(_Cancellable, SSLConnection):
    pass


class _ClusterPubSub(ClusterPubSub):
    """Learns where the slots are before it chooses its node: redis-py 8.1 leaves that to other commands."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        await self.cluster.initialize()
        return await super().execute_command(*args, **options)


class _Cluster(RedisCluster):
    """Makes its connections by itself; `use` says of which class."""

    def use(self, connection_class: type[Connection]) -> None:
        self.connection_kwargs["connection_class"] = connection_class
        for node in self.startup_nodes:
            node.connection_class = connection_class

    def pubsub(self, **options: Any) -> ClusterPubSub:  # type: ignore[override]
        return _ClusterPubSub(self, **options)


class _LoginOfNow(CredentialProvider):
    """User and password of the URL as it is when a connection is made, which may not be that of the start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        parts = urlsplit(self._settings.login("cache_url"))
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return (user, password) if user else (password,)


def _login(settings: Settings) -> tuple[str, CredentialProvider | None]:
    """The URL without a login, and who tells the login; the URL alone where it has none, now or ever."""
    url = settings.login("cache_url")
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), _LoginOfNow(settings)


def open_cache(settings: Settings) -> Redis:
    """Return the client; it connects on first use. Replies are bytes.

    Every socket operation ends within `cache_deadline_ms`; a lost connection is tried again twice,
    so commands sent through it must bear being repeated. Raises only
    `exchange.process.connections.CACHE_ERRORS` later on; SettingsError at once on an address that is none.

    A cluster's client takes the same commands as long as the keys of one command, one script or one
    transaction share a hash tag, which a test on a cluster holds them to.
    """
    url, provider = _login(settings)
    if not url.startswith(_SCHEMES):
        raise SettingsError(f"EXCHANGE_CACHE_URL begins with none of {', '.join(_SCHEMES)}")
    deadline_s = settings.cache_deadline_ms / 1000
    connection_class = _TlsConnection if url.startswith("rediss://") else _PlainConnection
    options: dict[str, Any] = {
        "credential_provider": provider,
        "max_connections": _CONNECTIONS_MAX,
        "socket_timeout": deadline_s,
        "socket_connect_timeout": deadline_s,
        "socket_keepalive": True,
        "health_check_interval": _HEALTH_CHECK_S,
        "retry": Retry(EqualJitterBackoff(base=_BACKOFF_BASE_S, cap=_BACKOFF_CAP_S), _RETRIES),
        "retry_on_error": [ConnectionError, TimeoutError],
    }
    if settings.cache_cluster:
        try:
            cluster = cast(_Cluster, _Cluster.from_url(url, **options))
        except RedisClusterException as error:
            raise SettingsError(f"EXCHANGE_CACHE_URL: {error}") from error
        cluster.use(connection_class)
        return cast(Redis, cluster)
    return Redis.from_pool(
        BlockingConnectionPool.from_url(url, connection_class=connection_class, timeout=deadline_s, **options)
    )
