"""Trades and candles from PostgreSQL, for what is older than what this process keeps in memory."""

from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.contracts.codes import BUY, SELL
from exchange.process.readers import Readers
from exchange.trading.candles import Candle
from exchange.trading.trades import AggregateTrade, Trade, aggregate

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

__all__ = ["CANDLES_MAX", "History", "HistoryTooLongError", "read_candles", "read_newest_trades"]

CANDLES_MAX: Final = 100_000
_TRADES_PER_READ: Final = 5_000
_READS_MAX: Final = 20
_TRADE_COLUMNS: Final = (
    "trade_id, time_ms, price_ticks, quantity_lots, quote_atoms, taker_side, "
    f"CASE taker_side WHEN {BUY} THEN buyer_order_id ELSE seller_order_id END AS taker_order_id"
)
# First and last prices are looked up by primary key: cheaper than ordering every bucket.
_CANDLES: Final = f"""
SELECT bucket.*, opening.price_ticks AS open_ticks, closing.price_ticks AS close_ticks
FROM (
    SELECT time_ms - time_ms % $2 AS open_ms, min(trade_id) AS first_id, max(trade_id) AS last_id,
        min(price_ticks) AS low_ticks, max(price_ticks) AS high_ticks,
        sum(quantity_lots) AS quantity_lots, sum(quote_atoms) AS quote_atoms,
        sum(CASE taker_side WHEN {BUY} THEN quantity_lots ELSE 0 END) AS taker_lots,
        sum(CASE taker_side WHEN {BUY} THEN quote_atoms ELSE 0 END) AS taker_quote_atoms
    FROM trades WHERE market_id = $1 AND time_ms >= $3 AND time_ms < $4
    GROUP BY 1 ORDER BY 1 DESC LIMIT {CANDLES_MAX}
) AS bucket
JOIN trades AS opening ON opening.market_id = $1 AND opening.trade_id = bucket.first_id
JOIN trades AS closing ON closing.market_id = $1 AND closing.trade_id = bucket.last_id
ORDER BY bucket.open_ms
"""
_TIME_MAX: Final = 2**62


class HistoryTooLongError(Exception):
    """A question whose answer would need more than CANDLES_MAX candles."""


def _trade(row: asyncpg.Record) -> Trade:
    return Trade(
        row["trade_id"],
        row["time_ms"],
        row["price_ticks"],
        row["quantity_lots"],
        row["quote_atoms"],
        row["taker_side"] == SELL,
        row["taker_order_id"],
    )


def _candle(row: asyncpg.Record) -> Candle:
    candle = Candle(row["open_ms"], row["open_ticks"])
    candle.high_ticks = row["high_ticks"]
    candle.low_ticks = row["low_ticks"]
    candle.close_ticks = row["close_ticks"]
    # Sums of bigint come as numeric.
    candle.quantity_lots = int(row["quantity_lots"])
    candle.quote_atoms = int(row["quote_atoms"])
    candle.taker_lots = int(row["taker_lots"])
    candle.taker_quote_atoms = int(row["taker_quote_atoms"])
    candle.first_id = row["first_id"]
    candle.last_id = row["last_id"]
    return candle


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


async def read_candles(
    connection: "Connection",
    market_id: int,
    step_ms: int,
    from_ms: int,
    to_ms: int | None,
    deadline_s: float,
) -> list[Candle]:
    """Candles with trades whose trades lie in [from_ms, to_ms), ascending, the newest CANDLES_MAX of them."""
    rows = await connection.fetch(
        _CANDLES, market_id, step_ms, from_ms, _TIME_MAX if to_ms is None else to_ms, timeout=deadline_s
    )
    return [_candle(row) for row in rows]


class History:
    """Questions that requests ask of the past. Each takes one connection and ends within the deadline.

    What is asked for is older than memory, so a reader that is a moment behind knows it.
    """

    def __init__(self, readers: Readers, deadline_ms: int) -> None:
        self._readers = readers
        self._deadline_s = deadline_ms / 1000

    async def candles(self, market_id: int, step_ms: int, from_ms: int, to_ms: int) -> list[Candle]:
        """Candles of trades in [from_ms, to_ms). Raises HistoryTooLongError.

        Raises TimeoutError or asyncpg's errors, as everything here does.
        """
        async with self._readers.connection() as connection:
            rows = await read_candles(connection, market_id, step_ms, from_ms, to_ms, self._deadline_s)
        if len(rows) == CANDLES_MAX:
            raise HistoryTooLongError(f"more than {CANDLES_MAX} steps of {step_ms} ms")
        return rows

    async def price_before(self, market_id: int, time_ms: int) -> int | None:
        """Price in ticks of the last trade before `time_ms`."""
        async with self._readers.connection() as connection:
            price: int | None = await connection.fetchval(
                "SELECT price_ticks FROM trades WHERE market_id = $1 AND time_ms < $2 "
                "ORDER BY time_ms DESC, trade_id DESC LIMIT 1",
                market_id,
                time_ms,
                timeout=self._deadline_s,
            )
            return price

    async def trades_from(self, market_id: int, first_id: int, before_id: int, limit: int) -> list[Trade]:
        """The oldest `limit` trades with first_id <= id < before_id."""
        async with self._readers.connection() as connection:
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
        async with self._readers.connection() as connection:
            found: int | None = await connection.fetchval(
                "SELECT trade_id FROM trades WHERE market_id = $1 AND time_ms >= $2 "
                "ORDER BY time_ms, trade_id LIMIT 1",
                market_id,
                time_ms,
                timeout=self._deadline_s,
            )
            return found

    async def aggregates_from(
        self, market_id: int, first_id: int, before_id: int, limit: int
    ) -> list[AggregateTrade]:
        """The oldest aggregate trades with first_id <= id < before_id; `before_id` begins one.

        At most `limit`, and fewer when they were made of very many trades.
        """
        # The trade before shows whether the first one is the middle of an aggregate trade.
        next_id = max(1, first_id - 1)
        trades: list[Trade] = []
        found: list[AggregateTrade] = []
        for _ in range(_READS_MAX):
            page = await self.trades_from(market_id, next_id, before_id, _TRADES_PER_READ)
            trades += page
            found = [one for one in aggregate(trades) if one.id >= first_id]
            if len(page) < _TRADES_PER_READ:
                return found[:limit]
            next_id = page[-1].id + 1
            if len(found) > limit:
                break
        # The last one may go on in trades that were not read.
        return found[:-1][:limit]

    async def aggregates_until(
        self, market_id: int, end_ms: int, before_id: int, limit: int
    ) -> list[AggregateTrade]:
        """The newest aggregate trades up to `end_ms` with id < before_id, ascending.

        At most `limit`, and fewer when they were made of very many trades.
        """
        async with self._readers.connection() as connection:
            rows = await connection.fetch(
                f"SELECT {_TRADE_COLUMNS} FROM trades WHERE market_id = $1 AND time_ms <= $2 "
                "AND trade_id < $3 ORDER BY trade_id DESC LIMIT $4",
                market_id,
                end_ms,
                before_id,
                _TRADES_PER_READ,
                timeout=self._deadline_s,
            )
        joined = aggregate(_trade(row) for row in reversed(rows))
        # The first one may have begun before the trades that were read.
        complete = joined if joined and joined[0].id == 1 else joined[1:]
        return complete[-limit:]
