"""What only PostgreSQL remembers: ended orders and trades. Every page is bounded and keyed by an id."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import asyncpg

from exchange.contracts.errors import overloaded, unavailable
from services.order.view.bootstrap import ORDER_COLUMNS, order_from_row
from services.order.view.model import OrderRecord

__all__ = ["History", "OrderPage", "TradePage", "TradeRow"]

# How long a read waits for the ledger to have what the caller was already told.
LAG_DEADLINE_S: Final = 1.5
LAG_POLL_S: Final = 0.01
# More would only wait for each other: the pool has a handful of connections.
READS_MAX: Final = 256
DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Which orders of a user in a market. Times are inclusive, in milliseconds of creation."""

    user_id: int
    market_id: int
    order_id_min: int | None
    start_ms: int | None
    end_ms: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class TradePage:
    """Which trades of a user in a market."""

    user_id: int
    market_id: int
    order_id: int | None
    trade_id_min: int | None
    start_ms: int | None
    end_ms: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One side of a trade. The fee is in base for the buyer, in quote for the seller."""

    trade_id: int
    time_ms: int
    taker_side: int
    price_ticks: int
    quantity_lots: int
    quote_atoms: int
    order_id: int
    fee_atoms: int
    is_buyer: bool


class History:
    """Reads of the ledger. Raises ApiError -1001 when PostgreSQL does not answer in time, -1008 when
    too many reads wait for it already."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", shard: int, deadline_s: float) -> None:
        self._database = database
        self._shard = shard
        self._deadline_s = deadline_s
        self._ledger_seq = 0
        self._reads = 0

    async def wait_for(self, seq: int) -> bool:
        """Wait until the ledger holds `seq`, for LAG_DEADLINE_S at most. Whether it does."""
        if seq <= self._ledger_seq:
            return True
        give_up = time.monotonic() + LAG_DEADLINE_S
        pause_s = LAG_POLL_S
        while True:
            rows = await self._fetch("SELECT last_seq FROM positions WHERE shard = $1", self._shard)
            if rows:
                self._ledger_seq = max(self._ledger_seq, rows[0][0])
            if seq <= self._ledger_seq:
                return True
            if time.monotonic() + pause_s > give_up:
                return False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.1)

    async def order(self, user_id: int, market_id: int, order_id: int) -> OrderRecord | None:
        """A user's order by its id."""
        rows = await self._fetch(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 AND market_id = $2 AND order_id = $3",
            user_id,
            market_id,
            order_id,
        )
        return order_from_row(rows[0]) if rows else None

    async def order_by_client_id(self, user_id: int, market_id: int, name: str) -> OrderRecord | None:
        """A user's newest order of that name."""
        rows = await self._fetch(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 AND market_id = $2 "
            "AND client_order_id = $3 ORDER BY order_id DESC LIMIT 1",
            user_id,
            market_id,
            name,
        )
        return order_from_row(rows[0]) if rows else None

    async def orders(self, page: OrderPage) -> list[OrderRecord]:
        """A page of orders, ascending: from a lower bound upward, else the newest ones."""
        arguments: list[object] = [page.user_id, page.market_id]
        conditions = ["user_id = $1", "market_id = $2"]
        for column, value in (
            ("order_id >=", page.order_id_min),
            ("created_ms >=", page.start_ms),
            ("created_ms <=", page.end_ms),
        ):
            if value is not None:
                arguments.append(value)
                conditions.append(f"{column} ${len(arguments)}")
        is_upward = page.order_id_min is not None or page.start_ms is not None
        rows = await self._fetch(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE {' AND '.join(conditions)} "
            f"ORDER BY order_id {'ASC' if is_upward else 'DESC'} LIMIT {page.limit:d}",
            *arguments,
        )
        orders = [order_from_row(row) for row in rows]
        return orders if is_upward else orders[::-1]

    async def trades(self, page: TradePage) -> list[TradeRow]:
        """A page of trades, ascending. A trade with oneself is two rows."""
        arguments: list[object] = [page.user_id, page.market_id]
        conditions = ["{side}_user_id = $1", "market_id = $2"]
        for column, value in (
            ("{side}_order_id =", page.order_id),
            ("trade_id >=", page.trade_id_min),
            ("time_ms >=", page.start_ms),
            ("time_ms <=", page.end_ms),
        ):
            if value is not None:
                arguments.append(value)
                conditions.append(f"{column} ${len(arguments)}")
        is_upward = page.trade_id_min is not None or page.start_ms is not None
        order = f"ORDER BY trade_id {'ASC' if is_upward else 'DESC'}"
        half = (
            "(SELECT trade_id, time_ms, taker_side, price_ticks, quantity_lots, quote_atoms, "
            "{side}_order_id, {side}_fee_atoms, {is_buyer} AS is_buyer FROM trades WHERE "
            f"{' AND '.join(conditions)} {order} LIMIT {page.limit:d})"
        )
        halves = half.format(side="buyer", is_buyer="true"), half.format(side="seller", is_buyer="false")
        rows = await self._fetch(f"{' UNION ALL '.join(halves)} {order} LIMIT {page.limit:d}", *arguments)
        trades = [TradeRow(*row) for row in rows]
        return trades if is_upward else trades[::-1]

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        if self._reads >= READS_MAX:
            raise overloaded()
        self._reads += 1
        try:
            async with self._database.acquire(timeout=self._deadline_s) as connection:
                return await connection.fetch(statement, *arguments, timeout=self._deadline_s)
        except DATABASE_ERRORS:
            raise unavailable() from None
        finally:
            self._reads -= 1
