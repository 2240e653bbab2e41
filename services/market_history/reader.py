"""What has been written, read back: candles of every interval, and trades, by market and time."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from exchange.ports.world import HistoryError, HistoryRow, HistoryTable
from exchange.trading.candles import Candle, base_step_ms, buckets, fill
from exchange.trading.intervals import DAY_MS, MINUTE_MS, Interval
from exchange.trading.market import Market
from exchange.trading.trades import Trade
from services.market_history.catalogue import Catalogue
from services.market_history.rows import NEWEST_TRADE, candle_of, candle_series, trade_of, trade_series

__all__ = ["ITEMS_MAX", "HistoryReader"]

ITEMS_MAX: Final = 1_000
# Candles of a base step that one question may need: 1,000 days of quarters of an hour.
_ROWS_MAX: Final = 100_000
_FUTURE_MS: Final = 2**53


class HistoryReader:
    """Reads the keys that a market's rows are spread over as one.

    `key_shards`: as many as the writers use, or more. Everything here raises HistoryError.
    """

    def __init__(self, candles: HistoryTable, trades: HistoryTable, *, shard: int, key_shards: int) -> None:
        self._candles = candles
        self._trades = trades
        self._shard = shard
        self._key_shards = key_shards

    async def market(self, symbol: str) -> Market | None:
        """Rules and formats of a market, None when the log has not named it yet."""
        catalogue = Catalogue(self._shard)
        await catalogue.load(self._candles)
        return catalogue.by_symbol(symbol)

    async def candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        now_ms: int,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = ITEMS_MAX,
    ) -> list[Candle]:
        """Candles that begin in [start_ms, end_ms], quiet ones filled in, as /api/v3/klines gives them."""
        earliest = await self._steps(symbol, DAY_MS, 0, _FUTURE_MS, limit=1)
        asked = buckets(
            interval,
            first_trade_ms=earliest[0].open_ms if earliest else None,
            now_ms=now_ms,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=min(limit, ITEMS_MAX),
        )
        if not asked:
            return []
        step_ms = base_step_ms(interval)
        last_ms = interval.moved(asked[-1], 1) - 1
        # What does not fit would be missing without a word.
        if (last_ms - asked[0]) // step_ms >= _ROWS_MAX:
            raise HistoryError(f"{len(asked)} candles of {interval.name} in this time zone: ask for fewer")
        rows, before = await asyncio.gather(
            self._steps(symbol, step_ms, asked[0], last_ms, limit=_ROWS_MAX),
            self._steps(symbol, step_ms, 0, asked[0] - 1, limit=1, newest_first=True),
        )
        return fill(rows, interval, asked, before[0].close_ticks if before else None)

    async def trades(
        self, symbol: str, *, start_ms: int | None, end_ms: int, limit: int = ITEMS_MAX
    ) -> list[Trade]:
        """The oldest `limit` trades with start_ms <= time < end_ms; without a start the newest before it.

        In the order of their ids. Minutes lead from times to ids, which have no gaps and ascend with time.
        """
        limit = min(limit, ITEMS_MAX)
        newest = await self._steps(symbol, MINUTE_MS, 0, end_ms - 1, limit=1, newest_first=True)
        if not newest:
            return []
        end_id = await self._first_since(symbol, end_ms, newest[0])
        if start_ms is None:
            return await self.trades_by_id(symbol, max(1, end_id - limit), min(limit, end_id - 1))
        minute_ms = start_ms - start_ms % MINUTE_MS
        oldest = await self._steps(symbol, MINUTE_MS, minute_ms, end_ms - 1, limit=1)
        next_id = await self._first_since(symbol, start_ms, oldest[0]) if oldest else end_id
        found: list[Trade] = []
        while len(found) < limit and next_id < end_id:
            found += await self.trades_by_id(symbol, next_id, min(limit, end_id - next_id))
            next_id += limit
        return found[:limit]

    async def trades_by_id(self, symbol: str, first_id: int, count: int) -> list[Trade]:
        """Those of the trades from `first_id` to `first_id + count - 1` that are kept."""
        found = await asyncio.gather(
            *(
                self._trades.read(trade_series(symbol, shard), first_id, first_id + count - 1, limit=count)
                for shard in range(self._key_shards)
            )
        )
        return [trade_of(row) for row in _merged(found)]

    async def _first_since(self, symbol: str, time_ms: int, minute: Candle) -> int:
        """Id of the minute's first trade that is not before `time_ms`, or the one behind its last.

        A trade that is gone was before it: the oldest go first.
        """
        low_id, high_id = minute.first_id, minute.last_id + 1
        while low_id < high_id:
            middle_id = (low_id + high_id) // 2
            found = await self._trade(symbol, middle_id)
            if found is not None and found.time_ms >= time_ms:
                high_id = middle_id
            else:
                low_id = middle_id + 1
        return low_id

    async def _trade(self, symbol: str, trade_id: int) -> Trade | None:
        series = trade_series(symbol, trade_id % self._key_shards)
        if rows := await self._trades.read(series, trade_id, trade_id, limit=1):
            return trade_of(rows[0])
        # From when there were fewer keys.
        found = await self.trades_by_id(symbol, trade_id, 1)
        return found[0] if found else None

    async def _steps(
        self,
        symbol: str,
        step_ms: int,
        first_ms: int,
        last_ms: int,
        *,
        limit: int,
        newest_first: bool = False,
    ) -> list[Candle]:
        """At most `limit` stored candles with first_ms <= open_ms <= last_ms."""
        found = await asyncio.gather(
            *(
                self._candles.read(
                    candle_series(symbol, step_ms, shard),
                    first_ms,
                    last_ms,
                    limit=limit,
                    newest_first=newest_first,
                )
                for shard in range(self._key_shards)
            )
        )
        rows = _merged(found, lambda row: row.values[NEWEST_TRADE])
        return [candle_of(row) for row in (rows[::-1] if newest_first else rows)[:limit]]


def _merged(
    parts: Iterable[Iterable[HistoryRow]], newness: Callable[[HistoryRow], int | str] | None = None
) -> list[HistoryRow]:
    """The rows of all parts, ascending by number.

    Two rows have one number when the number of shards was raised: the newer one counts.
    """
    rows: dict[int, HistoryRow] = {}
    for part in parts:
        for row in part:
            other = rows.get(row.number)
            if other is None or newness is None or int(newness(other)) < int(newness(row)):
                rows[row.number] = row
    return [rows[number] for number in sorted(rows)]
