"""Where a read goes that may be a moment old: to the database's reader while it answers, else to the writer.

Never for what decides about money, and never for what waits until the ledger stands at a seq: a reader of
Aurora is some ten milliseconds behind its writer, and may be seconds behind.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from prometheus_client import Counter

from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

__all__ = ["Readers"]

logger = logging.getLogger(__name__)
# A reader that gave no connection is left alone for so long; else each request would wait for it again.
_AWAY_S: Final = 10.0
_ATTEMPT_S_MAX: Final = 2.0
_away = Counter(
    "exchange_database_reader_away_total", "Times that the writer read, because the reader was away"
)


class Readers:
    """Lends connections of the reader's pool, and of the writer's when there is no reader or it is away."""

    def __init__(
        self,
        writer: "asyncpg.Pool[asyncpg.Record]",
        reader: "asyncpg.Pool[asyncpg.Record] | None",
        deadline_ms: int,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._deadline_s = deadline_ms / 1000
        self._away_until_s = 0.0

    @classmethod
    def from_resources(cls, resources: Resources) -> "Readers":
        """Those of a process."""
        return cls(resources.database, resources.database_reader, resources.settings.database_deadline_ms)

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """Borrow a connection for reading. Raises one of CONNECTION_ERRORS when the writer is away too.

        What fails on a connection once it is lent fails for its borrower: a question that takes too long for
        the reader is not asked of the writer again.
        """
        pool, connection = await self._acquire()
        try:
            yield connection
        finally:
            await pool.release(connection)

    def distrust(self) -> None:
        """Leave the reader alone for a while: for who was lent a connection that failed, and asks again."""
        self._away_until_s = asyncio.get_running_loop().time() + _AWAY_S

    async def _acquire(self) -> "tuple[asyncpg.Pool[asyncpg.Record], Connection]":
        if self._reader is not None and asyncio.get_running_loop().time() >= self._away_until_s:
            try:
                within_s = min(_ATTEMPT_S_MAX, self._deadline_s)
                return self._reader, await self._reader.acquire(timeout=within_s)
            except CONNECTION_ERRORS as error:
                _away.inc()
                self.distrust()
                logger.warning("the database's reader is away (%r): reading from the writer", error)
        return self._writer, await self._writer.acquire(timeout=self._deadline_s)
