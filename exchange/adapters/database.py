"""PostgreSQL: one pool a process, with a deadline on every wait.

After a failover (Aurora) a pool may hold dead sockets or connections to what is now a reader:
connections are asked to be read-write, idle ones are closed soon, and a read-only answer retires all.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from exchange.config import Settings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["CONNECTION_ERRORS", "acquire", "close_pool", "open_pool"]

logger = logging.getLogger(__name__)
_IDLE_LIFETIME_S: Final = 30.0

# What a lost, refused or overloaded server looks like to a caller. Trying again later may help.
CONNECTION_ERRORS: Final[tuple[type[BaseException], ...]] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TargetServerAttributeNotMatched,
)


async def open_pool(settings: Settings) -> "asyncpg.Pool[asyncpg.Record]":
    """Connect and return the pool. Raises one of CONNECTION_ERRORS when the server is away."""
    deadline_s = settings.database_deadline_ms / 1000
    async with asyncio.timeout(deadline_s * 2):
        return await asyncpg.create_pool(
            settings.database_dsn.get_secret_value(),
            min_size=1,
            max_size=settings.database_pool_size,
            max_inactive_connection_lifetime=_IDLE_LIFETIME_S,
            timeout=deadline_s,
            command_timeout=deadline_s,
            target_session_attrs=SessionAttribute.read_write,
            server_settings={"application_name": "exchange", "timezone": "UTC"},
        )


@asynccontextmanager
async def acquire(
    pool: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int
) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
    """Borrow a connection; TimeoutError when none is free within `deadline_ms`.

    Commands on it carry the pool's own deadline. A read-only answer (a failover happened) retires
    every connection of the pool before it is raised on.
    """
    async with pool.acquire(timeout=deadline_ms / 1000) as connection:
        try:
            yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            logger.warning("the database became read-only: retiring the pool's connections")
            await pool.expire_connections()
            raise


async def close_pool(pool: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
    """Close in order; after `deadline_ms` drop the connections."""
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await pool.close()
    except TimeoutError:
        pool.terminate()
