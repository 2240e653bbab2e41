"""Throw the projections away and make them again from the event log; and compare two of them.

Users, API keys and sessions are no projections and stay. Numbers that were given out stay so, even when
the database that gave them out is gone: no two users share an account, no two deposits a number.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from exchange.log.event_tail import TailPosition, newest_event
from exchange.process.components import Resources
from exchange.process.connections import acquire
from services.projections.book.cache import BookCache
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.ledger.reconcile import reconcile
from services.projections.ledger.store import read_position

if TYPE_CHECKING:
    from services.projections.ledger.store import AnyConnection

__all__ = ["PROJECTED_TABLES", "RebuildError", "clear_projection", "fingerprints", "rebuild"]

# Table -> its primary key, for a stable order.
PROJECTED_TABLES: Final = {
    "positions": "shard",
    "assets": "asset_id",
    "markets": "market_id",
    "filters": "filter_type, market_id, asset_id",
    "balances": "user_id, asset_id",
    "ledger_entries": "entry_id",
    "orders": "order_id",
    "order_lists": "order_list_id",
    "order_amendments": "order_id, execution_id",
    "decrements": "seq",
    "prevented_ends": "order_id",
    "trades": "market_id, trade_id",
    "deposits": "deposit_id",
    "fee_tiers": "tier",
    "fee_discount": "is_only",
    "fee_standings": "user_id",
    "withdrawals": "withdrawal_id",
    "candles": "market_id, step_ms, open_ms",
    "candle_folds": "market_id",
}
_DEADLINE_S: Final = 120.0
_POLL_S: Final = 0.05
# Never back: GREATEST with where the sequence stands.
_KEEP_NUMBERS: Final = (
    "SELECT setval('deposit_ids', GREATEST(max(deposit_id), (SELECT last_value FROM deposit_ids))) "
    "FROM deposits HAVING count(*) > 0",
    "SELECT setval('withdrawal_ids', GREATEST(max(withdrawal_id), (SELECT last_value FROM withdrawal_ids))) "
    "FROM withdrawals HAVING count(*) > 0",
    "SELECT setval(pg_get_serial_sequence('users', 'user_id'), GREATEST(max(user_id), "
    "(SELECT last_value FROM users_user_id_seq))) FROM balances HAVING count(*) > 0",
)


class RebuildError(Exception):
    """What was rebuilt is not what the log says."""


async def rebuild(resources: Resources, on_progress: Callable[[int, int], None]) -> TailPosition:
    """Empty tables and hot books, make them again, and return the position that all of them have.

    `on_progress` gets the seq that the ledger has and the log's newest. Raises RebuildError when ledger,
    books and log differ in the end, the projections' own errors, and those of the connections.
    """
    settings = resources.settings
    newest = await newest_event(resources.event_log)
    async with acquire(resources.database, settings.database_deadline_ms) as connection:
        await clear_projection(connection)
    cache = BookCache(resources.cache)
    await cache.clear()
    await _run_ledger(resources, newest.seq, on_progress)
    async with acquire(resources.database, settings.database_deadline_ms) as connection:
        for statement in _KEEP_NUMBERS:
            await connection.execute(statement, timeout=_DEADLINE_S)
        breaches = await reconcile(connection)
        position = await read_position(connection, settings.shard)
        symbols = [row["symbol"] for row in await connection.fetch("SELECT symbol FROM markets")]
    if breaches:
        raise RebuildError(f"the rebuilt ledger contradicts itself: {breaches[0]}")
    if (position.seq, position.hash) != (newest.seq, newest.hash):
        raise RebuildError(
            f"the ledger is at seq {position.seq} with hash {position.hash.hex()}, "
            f"the log at seq {newest.seq} with hash {newest.hash.hex()}"
        )
    book = BookProjection(resources)
    try:
        await book.start()
    finally:
        await book.stop()
    for symbol in symbols:
        there = await cache.current(symbol)
        if there is None or (there.seq, there.hash) != (newest.seq, newest.hash):
            raise RebuildError(f"the hot book of {symbol} is not at seq {newest.seq}: {there}")
    return position


async def _run_ledger(resources: Resources, seq: int, on_progress: Callable[[int, int], None]) -> None:
    ledger = LedgerProjection(resources)
    await ledger.start()
    running = asyncio.create_task(ledger.run(), name="ledger")
    try:
        while ledger.last_seq < seq:
            await asyncio.wait({running}, timeout=_POLL_S)
            if running.done():
                running.result()
            on_progress(ledger.last_seq, seq)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await ledger.stop()


async def clear_projection(connection: "AnyConnection") -> None:
    """Empty the projected tables. A ledger that still runs finds itself fenced and stops."""
    await connection.execute(f"TRUNCATE {', '.join(PROJECTED_TABLES)}", timeout=_DEADLINE_S)


async def fingerprints(connection: "AnyConnection") -> dict[str, str]:
    """For each projected table "<rows> <hash>", the hash over all rows in order of the primary key."""
    found: dict[str, str] = {}
    for table, key in PROJECTED_TABLES.items():
        row = await connection.fetchrow(
            f"SELECT count(*) AS rows, "
            f"encode(sha256(coalesce(string_agg(t::text, E'\\n' ORDER BY {key}), '')::bytea), 'hex') AS hash "
            f"FROM {table} AS t",
            timeout=_DEADLINE_S,
        )
        assert row is not None
        found[table] = f"{row['rows']} {row['hash']}"
    return found
