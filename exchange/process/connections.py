"""Using connections that a main module has opened: how to borrow one, and how they fail."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["CACHE_ERRORS", "CONNECTION_ERRORS", "acquire", "transaction"]

logger = logging.getLogger(__name__)

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
    # Our password was changed: the connections that are open go on, new ones are refused until we know the
    # new one.
    asyncpg.InvalidAuthorizationSpecificationError,
)

# What a lost, refused or loading server looks like to a caller. The cache is never the authority.
CACHE_ERRORS: Final[tuple[type[BaseException], ...]] = (RedisError, OSError)


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


@asynccontextmanager
async def transaction(
    pool: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int
) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
    """As `acquire`, with all that is done in it as one transaction."""
    async with acquire(pool, deadline_ms) as connection, connection.transaction():
        yield connection
