"""A connection for a piece of SQL, within the database's deadline, and one error for what can go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.process.connections import CONNECTION_ERRORS, acquire

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["Database", "DatabaseUnavailableError"]

# Without its table the database has not been migrated yet: that too is a matter of time.
_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)


class DatabaseUnavailableError(Exception):
    """PostgreSQL did not do its work within the deadline."""


class Database:
    """The pool as the user service uses it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
        self._pool = pool
        self._deadline_ms = deadline_ms

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
        """Borrow a connection for all of the block. Raises DatabaseUnavailableError."""
        try:
            async with (
                asyncio.timeout(self._deadline_ms / 1000),
                acquire(self._pool, self._deadline_ms) as connection,
            ):
                yield connection
        except _AWAY as error:
            raise DatabaseUnavailableError(repr(error)) from error

    async def ping(self) -> None:
        """Return when the database answers. Raises DatabaseUnavailableError."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1")

    @asynccontextmanager
    async def transaction(self) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
        """The same, in a transaction: all of the block or nothing. Raises DatabaseUnavailableError."""
        async with self.connection() as connection, connection.transaction():
            yield connection
