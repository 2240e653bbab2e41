"""What statements cost in PostgreSQL, counted in rows and pages, never in time."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

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
    root = plan["Plan"]
    rows = sum(_rows_read(node) for node in _nodes(root))
    return Cost(rows, root["Shared Hit Blocks"] + root["Shared Read Blocks"], json.dumps(root, indent=1))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def _rows_read(node: dict[str, Any]) -> int:
    """Of a node that reads a table or an index; others only hand on what those read."""
    if "Relation Name" not in node and "Index Name" not in node:
        return 0
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round((node["Actual Rows"] + dropped) * node["Actual Loops"])
