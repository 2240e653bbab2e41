"""What only PostgreSQL remembers: ended orders and trades. Every page is bounded and keyed by an id."""

import asyncio
import time
from typing import Final

import asyncpg

from exchange.contracts.errors import overloaded, unavailable
from exchange.process.turns import NoTurnError, Turns
from services.order.view.bootstrap import (
    ORDER_COLUMNS,
    ORDERS_OF_LISTS,
    lists_from_rows,
    order_from_row,
)
from services.order.view.pages import (
    NEWEST_ORDER_BY_NAME,
    PREVENTED,
    PREVENTED_BY_ID,
    OrderPage,
    TradePage,
    TradeRow,
    orders_statement,
    trades_statement,
)
from services.order.view.records import OrderListRecord, OrderRecord
from services.order.view.term_pages import (
    AMENDMENTS,
    DECREMENT_BY_SEQ,
    DECREMENTS_OF_ORDER,
    LIST_BY_ID,
    NEWEST_LIST_BY_NAME,
    AmendmentRow,
    DecrementRow,
    ListPage,
    lists_statement,
)

__all__ = ["History", "ListPage", "OrderPage", "TradePage", "TradeRow"]

# How long a read waits for the ledger to have what the caller was already told.
LAG_DEADLINE_S: Final = 1.5
LAG_POLL_S: Final = 0.01
DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class History:
    """Reads of the ledger. Raises ApiError -1001 when PostgreSQL does not answer in time, -1008 when
    too many reads wait for it already."""

    def __init__(
        self, database: "asyncpg.Pool[asyncpg.Record]", turns: Turns, shard: int, deadline_s: float
    ) -> None:
        """`turns`: at `database`, shared with whatever else may be slow."""
        self._database = database
        self._turns = turns
        self._shard = shard
        self._deadline_s = deadline_s
        self._ledger_seq = 0
        self._asking_seq: asyncio.Task[None] | None = None

    async def wait_for(self, seq: int) -> bool:
        """Wait until the ledger holds `seq`, for LAG_DEADLINE_S at most. Whether it does."""
        if seq <= self._ledger_seq:
            return True
        give_up = time.monotonic() + LAG_DEADLINE_S
        pause_s = LAG_POLL_S
        while True:
            await self._ask_seq()
            if seq <= self._ledger_seq:
                return True
            if time.monotonic() + pause_s > give_up:
                return False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.1)

    async def _ask_seq(self) -> None:
        """Learn how far the ledger is. One question serves all that ask meanwhile, and takes no turn: who
        was given a turn for his page must not be refused one for the question before it."""
        if self._asking_seq is None:
            self._asking_seq = asyncio.create_task(self._read_seq(), name="the ledger's position")
        await asyncio.shield(self._asking_seq)

    async def _read_seq(self) -> None:
        try:
            rows = await self._fetch_now("SELECT last_seq FROM positions WHERE shard = $1", self._shard)
            if rows:
                self._ledger_seq = max(self._ledger_seq, rows[0][0])
        finally:
            self._asking_seq = None

    async def order(self, user_id: int, market_id: int, order_id: int) -> OrderRecord | None:
        """A user's order by its id."""
        rows = await self.fetch(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 AND market_id = $2 AND order_id = $3",
            user_id,
            market_id,
            order_id,
        )
        return order_from_row(rows[0]) if rows else None

    async def order_by_client_id(self, user_id: int, market_id: int, name: str) -> OrderRecord | None:
        """A user's newest order of that name."""
        rows = await self.fetch(NEWEST_ORDER_BY_NAME, user_id, market_id, name)
        return order_from_row(rows[0]) if rows else None

    async def orders(self, page: OrderPage) -> list[OrderRecord]:
        """A page of orders, ascending: from a lower bound upward, else the newest ones."""
        statement, arguments = orders_statement(page)
        orders = [order_from_row(row) for row in await self.fetch(statement, *arguments)]
        return orders if page.is_upward else orders[::-1]

    async def prevented(
        self, user_id: int, market_id: int, order_id: int, from_id: int, limit: int
    ) -> tuple[list[OrderRecord], list[OrderRecord]]:
        """The orders that ended in prevented matches with an order, itself first, and their counter-orders.

        Those that ended against it: by the matches' ids from `from_id` on, at most `limit`.
        """
        return await self._with_counters(
            user_id, await self.fetch(PREVENTED, user_id, market_id, order_id, from_id, limit)
        )

    async def prevented_by_id(
        self, user_id: int, market_id: int, match_id: int
    ) -> tuple[list[OrderRecord], list[OrderRecord]]:
        """The orders that ended in the prevented match of this id, and their counter-orders."""
        return await self._with_counters(
            user_id, await self.fetch(PREVENTED_BY_ID, user_id, market_id, match_id)
        )

    async def _with_counters(
        self, user_id: int, rows: list[asyncpg.Record]
    ) -> tuple[list[OrderRecord], list[OrderRecord]]:
        closed = [order_from_row(row) for row in rows]
        if not closed:
            return [], []
        counters = await self.fetch(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 AND order_id = ANY($2::bigint[])",
            user_id,
            sorted({order.counter_order_id for order in closed}),
        )
        return closed, [order_from_row(row) for row in counters]

    async def decrements(
        self, user_id: int, market_id: int, order_id: int, from_seq: int, limit: int
    ) -> list[DecrementRow]:
        """Self-trades that made an order smaller, by their seqs from `from_seq` on."""
        rows = await self.fetch(DECREMENTS_OF_ORDER, user_id, market_id, order_id, from_seq, limit)
        return [DecrementRow(*row) for row in rows]

    async def decrement(self, user_id: int, market_id: int, seq: int) -> list[DecrementRow]:
        """The one at this seq, if there is one."""
        rows = await self.fetch(DECREMENT_BY_SEQ, user_id, market_id, seq)
        return [DecrementRow(*row) for row in rows]

    async def amendments(
        self, user_id: int, market_id: int, order_id: int, first_id: int, limit: int
    ) -> list[AmendmentRow]:
        """An order's amendments, oldest first."""
        rows = await self.fetch(AMENDMENTS, user_id, market_id, order_id, first_id, limit)
        return [AmendmentRow(*row) for row in rows]

    async def order_list(
        self, user_id: int, order_list_id: int | None, name: str | None
    ) -> OrderListRecord | None:
        """A user's order list by its id, or his newest of that name."""
        if order_list_id is not None:
            rows = await self.fetch(LIST_BY_ID, user_id, order_list_id)
        else:
            rows = await self.fetch(NEWEST_LIST_BY_NAME, user_id, name)
        lists = await self._with_orders(rows)
        return lists[0] if lists else None

    async def order_lists(self, page: ListPage) -> list[OrderListRecord]:
        """A page of order lists, ascending: from a lower bound upward, else the newest ones."""
        statement, arguments = lists_statement(page)
        lists = await self._with_orders(await self.fetch(statement, *arguments))
        return lists if page.is_upward else lists[::-1]

    async def _with_orders(self, rows: list[asyncpg.Record]) -> list[OrderListRecord]:
        if not rows:
            return []
        return lists_from_rows(rows, await self.fetch(ORDERS_OF_LISTS, [row[0] for row in rows]))

    async def trades(self, page: TradePage) -> list[TradeRow]:
        """A page of trades, ascending. A trade with oneself is two rows."""
        statement, arguments = trades_statement(page)
        trades = [TradeRow(*row) for row in await self.fetch(statement, *arguments)]
        return trades if page.is_upward else trades[::-1]

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a question that its own text bounds; it takes its turn."""
        try:
            async with self._turns.turn():
                return await self._fetch_now(statement, *arguments)
        except NoTurnError:
            raise overloaded() from None

    async def _fetch_now(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            async with self._database.acquire(timeout=self._deadline_s) as connection:
                return await connection.fetch(statement, *arguments, timeout=self._deadline_s)
        except DATABASE_ERRORS:
            raise unavailable() from None
