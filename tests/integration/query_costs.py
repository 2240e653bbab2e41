"""What statements cost in PostgreSQL, counted in rows and pages, never in time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from loadtest.aged.plans import read_by

__all__ = ["Cost", "RecordingPool", "cost_of"]


class Cost(NamedTuple):
    """`rows`: read from tables and indexes, those that a filter dropped too. `pages`: touched, 8 KiB each."""

    rows: int
    pages: int
    plan: str


class _RecordingConnection:
    def __init__(self, connection: Any, statements: list[tuple[str, tuple[object, ...]]]) -> None:
        self._connection = connection
        self._statements = statements

    async def fetch(self, statement: str, *arguments: object, **options: object) -> Any:
        self._statements.append((statement, arguments))
        return await self._connection.fetch(statement, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class RecordingPool:
    """A pool that remembers what was fetched through it."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    @asynccontextmanager
    async def acquire(self, timeout: float | None = None) -> "AsyncIterator[_RecordingConnection]":
        async with self._pool.acquire(timeout=timeout) as connection:
            yield _RecordingConnection(connection, self.statements)

    async def expire_connections(self) -> None:
        await self._pool.expire_connections()


async def cost_of(
    connection: "asyncpg.Connection[asyncpg.Record]", statement: str, arguments: tuple[object, ...], mode: str
) -> Cost:
    """Run the statement and count. `mode`: plan_cache_mode, for a plan may be made for these arguments or for
    any.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        prepared = await connection.prepare(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
        )
        (plan,) = json.loads(await prepared.fetchval(*arguments))
    return Cost(*read_by(plan["Plan"]), json.dumps(plan["Plan"], indent=1))
