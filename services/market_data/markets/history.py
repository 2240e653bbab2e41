"""Trades and candles from PostgreSQL, for what is older than what this process keeps in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.contracts.codes import BUY, SELL
from exchange.process.readers import Readers
from exchange.process.turns import Turns
from exchange.trading.candles import Candle, base_step_ms
from exchange.trading.intervals import Interval
from exchange.trading.trades import AggregateTrade, Trade, aggregate
from services.market_data.markets.candle_rows import read_buckets, read_close_before

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

__all__ = ["History", "read_newest_trades"]

_TRADES_PER_READ: Final = 5_000
# A taker's trades are at most some thousand (a bound of the engine's), so each answer has several of theirs.
_READS_MAX: Final = 4
_TRADE_COLUMNS: Final = (
    "trade_id, time_ms, price_ticks, quantity_lots, quote_atoms, taker_side, "
    f"CASE taker_side WHEN {BUY} THEN buyer_order_id ELSE seller_order_id END AS taker_order_id, "
    "coalesce(aggregate_id, 0) AS aggregate_id"
)


def _trade(row: asyncpg.Record) -> Trade:
    return Trade(
        row["trade_id"],
        row["time_ms"],
        row["price_ticks"],
        row["quantity_lots"],
        row["quote_atoms"],
        row["taker_side"] == SELL,
        row["taker_order_id"],
        row["aggregate_id"],
    )


async def read_newest_trades(
    connection: "Connection", market_id: int, limit: int, deadline_s: float
) -> list[Trade]:
    """The newest `limit` trades, ascending."""
    rows = await connection.fetch(
        f"SELECT {_TRADE_COLUMNS} FROM trades WHERE market_id = $1 ORDER BY trade_id DESC LIMIT $2",
        market_id,
        limit,
        timeout=deadline_s,
    )
    return [_trade(row) for row in reversed(rows)]


# Ids of aggregate trades ascend with those of trades, which have no gaps: the place is found by halving.
_TRADE_OF_AGGREGATE: Final = """
WITH RECURSIVE search(low_id, high_id) AS (
    SELECT $3::bigint, $4::bigint
    UNION ALL
    SELECT CASE WHEN middle.aggregate_id < $2 THEN middle.trade_id + 1 ELSE s.low_id END,
        CASE WHEN middle.aggregate_id < $2 THEN s.high_id ELSE middle.trade_id END
    FROM search AS s CROSS JOIN LATERAL (
        SELECT t.trade_id, coalesce(t.aggregate_id, t.trade_id) AS aggregate_id FROM trades AS t
        WHERE t.market_id = $1 AND t.trade_id = (s.low_id + s.high_id) / 2
    ) AS middle WHERE s.low_id < s.high_id
)
SELECT low_id FROM search WHERE low_id >= high_id
"""


class History:
    """Questions that requests ask of the past. Each takes one connection and ends within the deadline.

    What is asked for is older than memory, so a reader that is a moment behind knows it. They take turns, so
    that other parts of the process find connections in the pool. Everything here raises NoTurnError,
    TimeoutError, or asyncpg's errors.
    """

    def __init__(self, readers: Readers, turns: Turns, deadline_ms: int) -> None:
        self._readers = readers
        self._turns = turns
        self._deadline_s = deadline_ms / 1000

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[Connection]":
        async with self._turns.turn(), self._readers.connection() as connection:
            yield connection

    async def candles(
        self, market_id: int, interval: Interval, openings: Sequence[int], from_ms: int, end_ms: int
    ) -> tuple[list[Candle], int | None]:
        """Candles of buckets, as `read_buckets`, and the price in ticks before `from_ms`.

        `from_ms` begins a bucket, the first of `openings` if there are any.
        """
        found: list[Candle] = []
        async with self._connection() as connection:
            if openings:
                found = await read_buckets(
                    connection, market_id, interval, openings, end_ms, self._deadline_s
                )
            price = await read_close_before(
                connection, market_id, base_step_ms(interval), from_ms, self._deadline_s
            )
        return found, price

    async def trades_from(self, market_id: int, first_id: int, before_id: int, limit: int) -> list[Trade]:
        """The oldest `limit` trades with first_id <= id < before_id."""
        async with self._connection() as connection:
            rows = await connection.fetch(
                f"SELECT {_TRADE_COLUMNS} FROM trades WHERE market_id = $1 AND trade_id >= $2 "
                "AND trade_id < $3 ORDER BY trade_id LIMIT $4",
                market_id,
                first_id,
                before_id,
                limit,
                timeout=self._deadline_s,
            )
        return [_trade(row) for row in rows]

    async def trade_id_at(self, market_id: int, time_ms: int) -> int | None:
        """Id of the first trade at or after `time_ms`. Ids ascend with time."""
        async with self._connection() as connection:
            found: int | None = await connection.fetchval(
                "SELECT trade_id FROM trades WHERE market_id = $1 AND time_ms >= $2 "
                "ORDER BY time_ms, trade_id LIMIT 1",
                market_id,
                time_ms,
                timeout=self._deadline_s,
            )
            return found

    async def trade_id_of_aggregate(self, market_id: int, aggregate_id: int, before_id: int) -> int:
        """Id of the first trade of the first aggregate trade whose id is `aggregate_id` or larger.

        `before_id`, a trade that begins one, when there is none before it. About 40 rows are read.
        """
        async with self._connection() as connection:
            found: int | None = await connection.fetchval(
                _TRADE_OF_AGGREGATE, market_id, aggregate_id, 1, before_id, timeout=self._deadline_s
            )
        return before_id if found is None else found

    async def aggregates_from(
        self, market_id: int, first_id: int, before_id: int, limit: int
    ) -> tuple[list[AggregateTrade], bool]:
        """The oldest aggregate trades that begin with a trade from `first_id` on, before `before_id`.

        The latter begins one.

        At most `limit`, and fewer when they were made of very many trades; whether there are none between the
        last of them and `before_id`.
        """
        # The trade before shows whether the first one is the middle of an aggregate trade.
        next_id = max(1, first_id - 1)
        trades: list[Trade] = []
        for _ in range(_READS_MAX):
            page = await self.trades_from(market_id, next_id, before_id, _TRADES_PER_READ)
            trades += page
            found = [one for one in aggregate(trades) if one.first_id >= first_id]
            if len(page) < _TRADES_PER_READ:
                return found[:limit], len(found) <= limit
            next_id = page[-1].id + 1
            if len(found) > limit:
                break
        # The last one may go on in trades that were not read.
        return found[:-1][:limit], False

    async def aggregates_until(
        self, market_id: int, end_ms: int, before_id: int, limit: int
    ) -> list[AggregateTrade]:
        """The newest aggregate trades up to `end_ms` of trades before `before_id`, ascending.

        At most `limit`, and fewer when they were made of very many trades.
        """
        async with self._connection() as connection:
            # Ids ascend with time. By time and id at once, all trades since `end_ms` would be looked through.
            last_id = await connection.fetchval(
                "SELECT trade_id FROM trades WHERE market_id = $1 AND time_ms <= $2 "
                "ORDER BY time_ms DESC, trade_id DESC LIMIT 1",
                market_id,
                end_ms,
                timeout=self._deadline_s,
            )
            if last_id is None:
                return []
            rows = await connection.fetch(
                f"SELECT {_TRADE_COLUMNS} FROM trades WHERE market_id = $1 AND trade_id < $2 "
                "ORDER BY trade_id DESC LIMIT $3",
                market_id,
                min(last_id + 1, before_id),
                _TRADES_PER_READ,
                timeout=self._deadline_s,
            )
        joined = aggregate(_trade(row) for row in reversed(rows))
        # The first one may have begun before the trades that were read.
        complete = joined if joined and joined[0].first_id == 1 else joined[1:]
        return complete[-limit:]
