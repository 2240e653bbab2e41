"""Fills the tables: the exchange's own first commands by its own parts, then the years as rows."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from pydantic import SecretStr

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.process.components import Resources, run_components
from exchange.process.config import Settings
from loadtest.aged.shape import CHUNK_TABLE, TABLES, Scale, chunk_statements, closing_statements
from services.migrations import migrate
from services.projections.ledger.projection import LedgerProjection

__all__ = ["Filled", "Progress", "begin_exchange", "fill"]

Progress = Callable[[str], None]
TRADES_PER_CHUNK: Final = 100_000
_STATEMENT_DEADLINE_S: Final = 3_600.0
_GENESIS_DEADLINE_S: Final = 60.0
_SORT_MEMORY: Final = "512MB"


class Filled(NamedTuple):
    """What there is. `rows` and `bytes` (with indexes) by table, `indexes_s` by index: how long each took."""

    rows: dict[str, int]
    bytes: dict[str, int]
    indexes_s: dict[str, float]
    took_s: float


async def begin_exchange(settings: Settings, log_folder: Path) -> None:
    """Tables, and a young log with assets and markets, decided by the engine and written to the ledger."""
    from matching_engine.genesis import write_genesis
    from matching_engine.runner import EngineRunner
    from matching_engine.snapshots import Snapshots

    command_log = await FileLog.open(log_folder / "commands.log", settings.log_deadline_ms)
    event_log = await FileLog.open(log_folder / "events.log", settings.log_deadline_ms)
    database, cache = await open_pool(settings), open_cache(settings)
    try:
        async with database.acquire() as connection:
            await migrate(connection)
        resources = Resources(settings, command_log, event_log, database, cache)
        await write_genesis(command_log)
        snapshots = Snapshots(FolderStore(log_folder.parent), "snapshots")
        engine = EngineRunner(
            command_log,
            event_log,
            snapshots,
            shard_number=settings.shard,
            snapshot_every_commands=settings.snapshot_every_commands,
        )
        running = asyncio.create_task(run_components([engine, LedgerProjection(resources)]))
        async with asyncio.timeout(_GENESIS_DEADLINE_S):
            # A question to a table, not an event to wait for.
            while not await database.fetchval("SELECT count(*) FROM markets"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await cache.aclose()
        await close_pool(database, settings.database_deadline_ms)
        await event_log.close()
        await command_log.close()


async def fill(dsn: SecretStr, scale: Scale, progress: Progress) -> Filled:
    """Write the years, then the indexes, as a restore does; statistics at the end."""
    began_s = time.monotonic()
    connection = await asyncpg.connect(dsn.get_secret_value(), command_timeout=_STATEMENT_DEADLINE_S)
    try:
        await connection.execute(f"SET maintenance_work_mem = '{_SORT_MEMORY}'")
        await connection.execute(f"SET work_mem = '{_SORT_MEMORY}'")
        await connection.execute("SET synchronous_commit = off")
        indexes = await _drop_indexes(connection)
        await connection.execute(CHUNK_TABLE)
        for first in range(0, scale.trades, TRADES_PER_CHUNK):
            last = min(first + TRADES_PER_CHUNK, scale.trades) - 1
            async with connection.transaction():
                for statement in chunk_statements(scale, first, last):
                    await connection.execute(statement)
            progress(f"{last + 1:,} of {scale.trades:,} trades, {time.monotonic() - began_s:.0f} s")
        for what, statement in closing_statements(scale):
            progress(f"{what}, {time.monotonic() - began_s:.0f} s")
            await connection.execute(statement)
        indexes_s = await _make_indexes(connection, indexes, progress)
        progress("vacuum and statistics")
        await connection.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}, users")
        rows = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
        sizes = {table: await _size_bytes(connection, table) for table in TABLES}
    finally:
        await connection.close()
    return Filled(rows, sizes, indexes_s, time.monotonic() - began_s)


async def _drop_indexes(connection: Any) -> dict[str, str]:
    """Those that no constraint needs, by name, with what makes them."""
    rows = await connection.fetch(
        "SELECT i.indexname, i.indexdef FROM pg_indexes AS i "
        "WHERE i.tablename = ANY($1) AND NOT EXISTS "
        "(SELECT FROM pg_constraint WHERE conindid = i.indexname::regclass)",
        list(TABLES),
    )
    for row in rows:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    return {row["indexname"]: row["indexdef"] for row in rows}


async def _make_indexes(connection: Any, indexes: dict[str, str], progress: Progress) -> dict[str, float]:
    """As an operator of a large table makes them: concurrently."""
    took_s = {}
    for name, definition in sorted(indexes.items()):
        began_s = time.monotonic()
        await connection.execute(definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1))
        took_s[name] = time.monotonic() - began_s
        progress(f"index {name}, {took_s[name]:.1f} s")
    return took_s


async def _size_bytes(connection: Any, table: str) -> int:
    """With its indexes, and with its parts where it is made of parts."""
    size: int = await connection.fetchval(
        "SELECT coalesce(sum(pg_total_relation_size(relid))::bigint, pg_total_relation_size($1::regclass)) "
        "FROM pg_partition_tree($1::regclass)",
        table,
    )
    return size
