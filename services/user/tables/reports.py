"""What an account did within a time, for its papers: orders and fills of all markets, the ledger, its sums.

Ids ascend with time, of a market's orders and trades and of the whole ledger. So a time is turned into ids
first, and the account's own rows are then read by id (ADR 0019).
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from exchange.process.turns import Turns
from services.user.tables.database import Database

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["LedgerSum", "Reports", "Span"]

# Looking for a time among the ledger's ids takes a step for each doubling of their number.
_STEPS_MAX: Final = 64

# $1 user, $2 from, $3 to (exclusive), $4 rows. The bounds of each market come from its index by time.
_ORDERS: Final = """
SELECT o.order_id, o.client_order_id, o.side, o.order_type, o.time_in_force, o.price_ticks, o.quantity_lots,
       o.executed_lots, o.executed_quote_atoms, o.status, o.created_ms, o.updated_ms, m.symbol, m.tick_atoms,
       m.lot_atoms, b.decimals AS base_decimals, q.decimals AS quote_decimals
FROM markets m JOIN assets b ON b.asset_id = m.base_asset_id JOIN assets q ON q.asset_id = m.quote_asset_id
CROSS JOIN LATERAL (SELECT order_id FROM orders WHERE market_id = m.market_id AND created_ms >= $2
    ORDER BY created_ms, order_id LIMIT 1) low
CROSS JOIN LATERAL (SELECT * FROM orders
    WHERE (user_id, market_id, order_id) >= ($1, m.market_id, low.order_id)
      AND (user_id, market_id, order_id) <= ($1, m.market_id, 9223372036854775807)
      AND created_ms < $3
    ORDER BY user_id, market_id, order_id LIMIT $4) o
ORDER BY o.created_ms, o.order_id LIMIT $4
"""
_SIDE: Final = """
    (SELECT trade_id, time_ms, price_ticks, base_atoms, quote_atoms, {side}_order_id AS order_id,
        {side}_fee_atoms AS fee_atoms, {side}_fee_asset_id AS fee_asset_id, {code} AS side,
        taker_side = {code} AS is_taker FROM trades
    WHERE ({side}_user_id, market_id, trade_id) >= ($1, m.market_id, low.trade_id)
      AND ({side}_user_id, market_id, trade_id) <= ($1, m.market_id, 9223372036854775807)
      AND time_ms < $3
    ORDER BY {side}_user_id, market_id, trade_id LIMIT $4)"""
_FILLS: Final = f"""
SELECT t.*, m.symbol, m.tick_atoms, b.code AS base, b.decimals AS base_decimals, q.code AS quote,
       q.decimals AS quote_decimals, f.code AS fee_asset, f.decimals AS fee_decimals
FROM markets m JOIN assets b ON b.asset_id = m.base_asset_id JOIN assets q ON q.asset_id = m.quote_asset_id
CROSS JOIN LATERAL (SELECT trade_id FROM trades WHERE market_id = m.market_id AND time_ms >= $2
    ORDER BY time_ms, trade_id LIMIT 1) low
CROSS JOIN LATERAL ({_SIDE.format(side="buyer", code=1)} UNION ALL {_SIDE.format(side="seller", code=2)}) t
JOIN assets f ON f.asset_id = CASE WHEN t.fee_asset_id > 0 THEN t.fee_asset_id
    WHEN t.side = 1 THEN m.base_asset_id ELSE m.quote_asset_id END
ORDER BY t.time_ms, t.trade_id, t.side LIMIT $4
"""
_OWN_ENTRIES: Final = """
FROM assets a CROSS JOIN LATERAL (SELECT * FROM ledger_entries
    WHERE (user_id, asset_id, entry_id) >= ($1, a.asset_id, $2)
      AND (user_id, asset_id, entry_id) < ($1, a.asset_id, $3)
    ORDER BY user_id, asset_id, entry_id LIMIT $4) e
"""
_ENTRIES: Final = (
    "SELECT e.entry_id, e.time_ms, a.code, a.decimals, e.amount_atoms, e.bucket, e.kind, e.reference "
    + _OWN_ENTRIES
    + "ORDER BY e.entry_id LIMIT $4"
)
_SUMS: Final = (
    "SELECT a.code, a.decimals, e.kind, sum(e.amount_atoms) AS amount_atoms "
    + _OWN_ENTRIES.replace(" LIMIT $4", "")
    + "GROUP BY a.code, a.decimals, e.kind ORDER BY a.code, e.kind"
)


class Span(NamedTuple):
    """From `from_ms` to `to_ms`, the second not included, in milliseconds since 1970."""

    from_ms: int
    to_ms: int


class LedgerSum(NamedTuple):
    """What the entries of one kind add up to in one asset."""

    code: str
    decimals: int
    kind: str
    amount_atoms: int


class Reports:
    """Everything raises DatabaseUnavailableError, NoTurnError."""

    def __init__(self, database: Database, turns: Turns) -> None:
        self._database = database
        self._turns = turns

    async def orders(self, user_id: int, span: Span, rows_max: int) -> list[asyncpg.Record]:
        """The account's orders that were placed within it, the oldest first."""
        return await self._fetch(_ORDERS, user_id, span, rows_max)

    async def fills(self, user_id: int, span: Span, rows_max: int) -> list[asyncpg.Record]:
        """The account's fills within it, the oldest first; a trade with itself is two."""
        return await self._fetch(_FILLS, user_id, span, rows_max)

    async def _fetch(self, query: str, user_id: int, span: Span, rows_max: int) -> list[asyncpg.Record]:
        async with self._turns.turn(), self._database.connection() as connection:
            return await connection.fetch(query, user_id, span.from_ms, span.to_ms, rows_max)

    async def entries(self, user_id: int, span: Span, rows_max: int) -> list[asyncpg.Record]:
        """The account's entries within it, in order."""
        async with self._turns.turn(), self._database.connection() as connection:
            low, high = [await _entry_at(connection, at_ms) for at_ms in span]
            return await connection.fetch(_ENTRIES, user_id, low, high, rows_max)

    async def sums(self, user_id: int, span: Span) -> tuple[list[LedgerSum], list[LedgerSum]]:
        """What all entries before it, and all within it, add up to."""
        async with self._turns.turn(), self._database.connection() as connection:
            low, high = [await _entry_at(connection, at_ms) for at_ms in span]
            # One snapshot is not needed: rows are only added, behind all that is read here.
            before = await connection.fetch(_SUMS, user_id, 0, low)
            within = await connection.fetch(_SUMS, user_id, low, high)
        return [_sum(row) for row in before], [_sum(row) for row in within]


def _sum(row: asyncpg.Record) -> LedgerSum:
    amount = row["amount_atoms"]
    assert isinstance(amount, Decimal), "a sum of bigint is numeric"
    return LedgerSum(row["code"], row["decimals"], row["kind"], int(amount))


async def _entry_at(connection: "PoolConnectionProxy[asyncpg.Record]", time_ms: int) -> int:
    """The smallest id that entries of this time or later can have: by halving, for ids ascend with time."""
    low, high = 0, 1 + int(await connection.fetchval("SELECT coalesce(max(entry_id), 0) FROM ledger_entries"))
    for _ in range(_STEPS_MAX):
        if low >= high:
            break
        middle = (low + high) // 2
        row = await connection.fetchrow(
            "SELECT entry_id, time_ms FROM ledger_entries WHERE entry_id >= $1 ORDER BY entry_id LIMIT 1",
            middle,
        )
        if row is None or row["time_ms"] >= time_ms:
            high = middle
        else:
            low = row["entry_id"] + 1
    return low
