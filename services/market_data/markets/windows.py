"""Rolling statistics by minute buckets: the window begins on a whole minute (binance-spot-api 2, /ticker)."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from exchange.trading.candles import Candle, CandleStore
from exchange.trading.intervals import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["WINDOWS", "RollingWindow", "Statistics", "statistics", "window_start_ms"]

# Windows with a stream of their own, by the name in the stream.
WINDOWS: Final = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": DAY_MS}


class Statistics(NamedTuple):
    """What was traded in a window. Without trades: ids -1, volumes 0, prices the last one known, else 0."""

    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    quantity_lots: int
    quote_atoms: int
    first_id: int
    last_id: int
    previous_close_ticks: int

    @property
    def trade_count(self) -> int:
        """Number of trades: their ids have no gaps within a market."""
        return self.last_id - self.first_id + 1 if self.last_id >= 0 else 0


def window_start_ms(now_ms: int, length_ms: int) -> int:
    """Where a window that ends now begins: on a whole minute, so it is up to 59,999 ms longer."""
    return now_ms - now_ms % MINUTE_MS - length_ms


def statistics(candles: Iterable[Candle], previous_close_ticks: int) -> Statistics:
    """Join candles, ascending. `previous_close_ticks`: the price before the first, 0 if there was none."""
    joined: Candle | None = None
    for candle in candles:
        if joined is None:
            joined = candle.copy_at(candle.open_ms)
        else:
            joined.add_candle(candle)
    if joined is None:
        price = previous_close_ticks
        return Statistics(price, price, price, price, 0, 0, -1, -1, price)
    return Statistics(
        joined.open_ticks,
        joined.high_ticks,
        joined.low_ticks,
        joined.close_ticks,
        joined.quantity_lots,
        joined.quote_atoms,
        joined.first_id,
        joined.last_id,
        previous_close_ticks,
    )


class RollingWindow:
    """Statistics of the last `length_ms`, kept up to date at a constant cost for each minute.

    The newest minute is read where it grows (in the series of minutes); the closed ones before it are
    summed up, and their highest and lowest stand in two monotonic queues.
    """

    def __init__(self, length_ms: int, candles: CandleStore) -> None:
        # Whether a price left the window since somebody last set this to False.
        self.has_rolled = False
        self._length_ms = length_ms
        self._candles = candles
        self._start_ms = 0
        self._newest: Candle | None = None
        self._closed: deque[Candle] = deque()
        self._highs: deque[Candle] = deque()
        self._lows: deque[Candle] = deque()
        self._quantity_lots = 0
        self._quote_atoms = 0
        self._previous_close_ticks = 0

    def load(self, now_ms: int) -> None:
        """Start from the series as it is."""
        start_ms = window_start_ms(now_ms, self._length_ms)
        self._previous_close_ticks = self._candles.price_before(start_ms)
        for candle in self._candles.minutes.between(start_ms, now_ms + MINUTE_MS):
            self._open(candle)
        self.advance(now_ms)

    def follow(self) -> None:
        """Call after each trade that the candles took in."""
        candle = self._candles.minutes.rows[-1]
        if candle is not self._newest:
            self._open(candle)

    def advance(self, now_ms: int) -> None:
        """Let go of what is older than the window."""
        start_ms = window_start_ms(now_ms, self._length_ms)
        if start_ms <= self._start_ms:
            return
        self._start_ms = start_ms
        while self._closed and self._closed[0].open_ms < start_ms:
            candle = self._closed.popleft()
            self._quantity_lots -= candle.quantity_lots
            self._quote_atoms -= candle.quote_atoms
            self._previous_close_ticks = candle.close_ticks
            self.has_rolled = True
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0].open_ms < start_ms:
                extremes.popleft()
        if self._newest is not None and self._newest.open_ms < start_ms:
            self._previous_close_ticks = self._newest.close_ticks
            self._newest = None
            self.has_rolled = True

    def statistics(self) -> Statistics:
        """The window as of the last `advance` and trade."""
        newest = self._newest
        if newest is None:
            return statistics((), self._previous_close_ticks)
        first = self._closed[0] if self._closed else newest
        return Statistics(
            first.open_ticks,
            max(newest.high_ticks, self._highs[0].high_ticks) if self._highs else newest.high_ticks,
            min(newest.low_ticks, self._lows[0].low_ticks) if self._lows else newest.low_ticks,
            newest.close_ticks,
            self._quantity_lots + newest.quantity_lots,
            self._quote_atoms + newest.quote_atoms,
            first.first_id,
            newest.last_id,
            self._previous_close_ticks,
        )

    def _open(self, candle: Candle) -> None:
        closed = self._newest
        self._newest = candle
        if closed is None:
            return
        self._closed.append(closed)
        self._quantity_lots += closed.quantity_lots
        self._quote_atoms += closed.quote_atoms
        while self._highs and self._highs[-1].high_ticks <= closed.high_ticks:
            self._highs.pop()
        self._highs.append(closed)
        while self._lows and self._lows[-1].low_ticks >= closed.low_ticks:
            self._lows.pop()
        self._lows.append(closed)
