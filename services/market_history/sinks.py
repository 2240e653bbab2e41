"""Where trades go: tables of trades and candles, or a stream. Both try until everything is written."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from exchange.ports.world import HistoryError, HistoryRow, HistoryTable, RecordStream
from exchange.process.patience import Patience
from exchange.trading.candles import STEPS_MS, Candle
from exchange.trading.market import Market
from exchange.trading.trades import Trade
from services.market_history.lines import rounds, trade_line
from services.market_history.open_candles import OpenCandles, openings
from services.market_history.rows import (
    NEWEST_TRADE,
    Retention,
    candle_of,
    candle_row,
    candle_series,
    trade_row,
)

__all__ = ["SeenTrade", "Sink", "StreamSink", "TableSink", "put_rows"]


class SeenTrade(NamedTuple):
    """A trade as it came from the log; `seq` is its event's."""

    market: Market
    trade: Trade
    seq: int


class Sink(Protocol):
    """Writes trades. What was written before may come again, from any place on, after a restart."""

    async def write(self, trades: Sequence[SeenTrade], patience: Patience) -> None:
        """Return when all of them are durable, however long that takes."""
        ...


class TableSink:
    """Trades, and the candles that they change, each as a whole row.

    Trades are written first: a reader finds them by way of the candles. A trade's row is always the same. A
    candle's grows, and never shrinks: a row with as new a trade in it is left as it is. So it does no harm
    to write again from an earlier place, nor if a process that has lost its place still writes.
    """

    def __init__(
        self,
        candles: HistoryTable,
        trades: HistoryTable,
        *,
        key_shards: int,
        retention: Retention,
        clock_ms: Callable[[], int],
    ) -> None:
        self._candles = candles
        self._trades = trades
        self._key_shards = key_shards
        self._retention = retention
        self._clock_ms = clock_ms
        self._open: dict[str, OpenCandles] = {}

    async def write(self, trades: Sequence[SeenTrade], patience: Patience) -> None:
        """As `Sink`."""
        for market, trade, _ in trades:
            if market.symbol not in self._open:
                async for attempt in patience.attempts():
                    with attempt:
                        stored = await self._stored(market.symbol, trade.time_ms)
                self._open[market.symbol] = OpenCandles(stored)
        trade_rows = [
            trade_row(market.symbol, trade, self._key_shards, self._retention) for market, trade, _ in trades
        ]
        changed: dict[tuple[str, int, int], Candle] = {}
        for market, trade, _ in trades:
            for step_ms, candle in self._open[market.symbol].add(trade):
                changed[market.symbol, step_ms, candle.open_ms] = candle
        candle_rows = [
            candle_row(symbol, step_ms, candle, self._key_shards, self._retention)
            for (symbol, step_ms, _), candle in changed.items()
        ]
        await put_rows(self._trades, self._lasting(trade_rows), patience)
        await put_rows(self._candles, self._lasting(candle_rows), patience, NEWEST_TRADE)

    def _lasting(self, rows: Sequence[HistoryRow]) -> list[HistoryRow]:
        now_s = self._clock_ms() // 1000
        return [row for row in rows if row.expires_at_s is None or row.expires_at_s > now_s]

    async def _stored(self, symbol: str, time_ms: int) -> Mapping[int, Candle]:
        """The candles of every step that a trade of this time belongs to."""
        begins = openings(time_ms)
        # All shards: the number of shards may have been smaller when the row was written.
        found = await asyncio.gather(
            *(
                self._candles.read(
                    candle_series(symbol, step_ms, shard), begins[step_ms], begins[step_ms], limit=1
                )
                for step_ms in STEPS_MS
                for shard in range(self._key_shards)
            )
        )
        stored: dict[int, Candle] = {}
        for place, rows in enumerate(found):
            step_ms = STEPS_MS[place // self._key_shards]
            for candle in map(candle_of, rows):
                if step_ms not in stored or stored[step_ms].last_id < candle.last_id:
                    stored[step_ms] = candle
        return stored


class StreamSink:
    """Trades as JSON lines, in order within each market.

    One record of a market is on its way at a time; the next one waits until it was taken. After a restart
    lines may come again, but the first copies of a market's lines are in order and complete.
    """

    def __init__(self, stream: RecordStream) -> None:
        self._stream = stream

    async def write(self, trades: Sequence[SeenTrade], patience: Patience) -> None:
        """As `Sink`."""
        lines: dict[str, list[bytes]] = {}
        for market, trade, seq in trades:
            lines.setdefault(market.symbol, []).append(trade_line(market, trade, seq))
        for records in rounds(lines):
            waiting = records
            async for attempt in patience.attempts():
                with attempt:
                    refused = await self._stream.put(waiting)
                    waiting = {key: waiting[key] for key in refused}
                    if waiting:
                        raise HistoryError(f"{len(waiting)} of {len(records)} records were refused")
                    patience.worked()


async def put_rows(
    table: HistoryTable, rows: Sequence[HistoryRow], patience: Patience, newer_by: str | None = None
) -> None:
    """Write rows, those that were refused again, for ever."""
    waiting = rows
    async for attempt in patience.attempts():
        with attempt:
            waiting = await table.put(waiting, newer_by)
            if waiting:
                raise HistoryError(f"{len(waiting)} of {len(rows)} rows were throttled")
            patience.worked()
