"""Valkey or Redis: one client a process, bounded in connections, time and tries."""

import asyncio
from collections.abc import Iterable
from typing import Final

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import EqualJitterBackoff
from redis.exceptions import ConnectionError, TimeoutError

from exchange.config import Settings

__all__ = ["open_cache"]

_CONNECTIONS_MAX: Final = 32
_RETRIES: Final = 2
_BACKOFF_BASE_S: Final = 0.02
_BACKOFF_CAP_S: Final = 0.5
_HEALTH_CHECK_S: Final = 15


class _CancellableConnection(Connection):
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


def open_cache(settings: Settings) -> Redis:
    """Return the client; it connects on first use. Replies are bytes.

    Every socket operation ends within `cache_deadline_ms`; a lost connection is tried again twice,
    so commands sent through it must bear being repeated. Raises only
    `exchange.connections.CACHE_ERRORS` later on.
    """
    deadline_s = settings.cache_deadline_ms / 1000
    pool = BlockingConnectionPool.from_url(
        settings.cache_url.get_secret_value(),
        connection_class=_CancellableConnection,
        max_connections=_CONNECTIONS_MAX,
        timeout=deadline_s,
        socket_timeout=deadline_s,
        socket_connect_timeout=deadline_s,
        socket_keepalive=True,
        health_check_interval=_HEALTH_CHECK_S,
        retry=Retry(EqualJitterBackoff(base=_BACKOFF_BASE_S, cap=_BACKOFF_CAP_S), _RETRIES),
        retry_on_error=[ConnectionError, TimeoutError],
    )
    return Redis.from_pool(pool)
