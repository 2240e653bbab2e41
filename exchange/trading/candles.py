"""Candles: what was traded in a stretch of time. Pure.

Five series are kept for each market (seconds, minutes, quarters of an hour, hours, days); every
interval and time zone is made from the coarsest series whose steps fit into it. Series hold only steps
in which something was traded; quiet ones are filled in with the last price when candles are asked for.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from exchange.trading.intervals import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS, Interval
from exchange.trading.trades import Trade

__all__ = [
    "ROWS_PER_BUCKET_MAX",
    "STEPS_MS",
    "Candle",
    "CandleStore",
    "Series",
    "base_step_ms",
    "buckets",
    "fill",
    "fold",
    "rows_per_bucket",
    "steps_of",
]

# Lengths of the steps of the five series.
STEPS_MS: Final = (SECOND_MS, MINUTE_MS, QUARTER_MS, HOUR_MS, DAY_MS)
_MONTH_MS_MIN: Final = 28 * DAY_MS
_MONTH_MS_MAX: Final = 31 * DAY_MS

# How many are kept of each step; older ones are read from PostgreSQL. So many that what is asked for without
# a time is here: 1,000 klines of any interval in UTC (1d and more for 11 years), the rolling windows (7 days
# of minutes), and the newest month in any time zone (3,000 quarters).
_ROWS_MAX: Final = {
    SECOND_MS: 7_200,
    MINUTE_MS: 12_000,
    QUARTER_MS: 4_000,
    HOUR_MS: 12_000,
    DAY_MS: 4_000,
}
# Of so many stored rows is a bucket put together at most (`rows_per_bucket`): a month in a zone of quarters
# of an hour, of 32 days, and at its edge 24 hours and 4 quarters.
ROWS_PER_BUCKET_MAX: Final = 60


class Candle:
    """Trades from `first_id` to `last_id` (-1: none), all within one step that begins at `open_ms`.

    Prices in ticks, volumes in lots and quote atoms; `taker_*` is the part bought by takers.
    """

    __slots__ = (
        "close_ticks",
        "first_id",
        "high_ticks",
        "last_id",
        "low_ticks",
        "open_ms",
        "open_ticks",
        "quantity_lots",
        "quote_atoms",
        "taker_lots",
        "taker_quote_atoms",
    )

    def __init__(self, open_ms: int, price_ticks: int) -> None:
        self.open_ms = open_ms
        self.open_ticks = self.high_ticks = self.low_ticks = self.close_ticks = price_ticks
        self.quantity_lots = self.quote_atoms = self.taker_lots = self.taker_quote_atoms = 0
        self.first_id = self.last_id = -1

    @property
    def count(self) -> int:
        """Number of trades: their ids have no gaps within a market."""
        return self.last_id - self.first_id + 1 if self.last_id >= 0 else 0

    def add_trade(self, trade: Trade) -> None:
        """Take in the next trade."""
        price_ticks = trade.price_ticks
        if price_ticks > self.high_ticks:
            self.high_ticks = price_ticks
        elif price_ticks < self.low_ticks:
            self.low_ticks = price_ticks
        self.close_ticks = price_ticks
        self.quantity_lots += trade.quantity_lots
        self.quote_atoms += trade.quote_atoms
        if not trade.buyer_is_maker:
            self.taker_lots += trade.quantity_lots
            self.taker_quote_atoms += trade.quote_atoms
        if self.first_id < 0:
            self.first_id = trade.id
        self.last_id = trade.id

    def add_candle(self, later: "Candle") -> None:
        """Take in the candle that follows."""
        self.high_ticks = max(self.high_ticks, later.high_ticks)
        self.low_ticks = min(self.low_ticks, later.low_ticks)
        self.close_ticks = later.close_ticks
        self.quantity_lots += later.quantity_lots
        self.quote_atoms += later.quote_atoms
        self.taker_lots += later.taker_lots
        self.taker_quote_atoms += later.taker_quote_atoms
        if self.first_id < 0:
            self.first_id = later.first_id
        self.last_id = later.last_id

    def copy_at(self, open_ms: int) -> "Candle":
        """The same trades as part of a bucket that begins at `open_ms`."""
        copy = Candle(open_ms, self.open_ticks)
        copy.add_candle(self)
        return copy

    def values(self) -> tuple[int, ...]:
        """Everything in it, for comparing."""
        return tuple(getattr(self, name) for name in self.__slots__)


class Series:
    """Candles of one step length, ascending, only those with trades.

    `known_from_ms`: nothing that happened from then on is missing.
    """

    def __init__(self, step_ms: int, rows_max: int) -> None:
        self.step_ms = step_ms
        self.rows_max = rows_max
        self.known_from_ms = 0
        self.rows: list[Candle] = []

    def load(self, rows: Sequence[Candle], known_from_ms: int) -> None:
        """Start from stored candles."""
        self.rows = list(rows)
        self.known_from_ms = known_from_ms
        self._trim()

    def add(self, trade: Trade) -> Candle:
        """Take in the next trade; the candle that it belongs to."""
        open_ms = trade.time_ms - trade.time_ms % self.step_ms
        if not self.rows or self.rows[-1].open_ms != open_ms:
            self.rows.append(Candle(open_ms, trade.price_ticks))
            self._trim()
        candle = self.rows[-1]
        candle.add_trade(trade)
        return candle

    def between(self, from_ms: int, to_ms: int) -> Sequence[Candle]:
        """Candles with from_ms <= open_ms < to_ms."""
        return self.rows[bisect_left(self.rows, from_ms, key=_open_ms) : self._index(to_ms)]

    def last_before(self, time_ms: int) -> Candle | None:
        """The newest candle that opened before `time_ms`."""
        index = self._index(time_ms)
        return self.rows[index - 1] if index else None

    def _index(self, time_ms: int) -> int:
        # Most questions are about the end of the series.
        if not self.rows or self.rows[-1].open_ms < time_ms:
            return len(self.rows)
        return bisect_left(self.rows, time_ms, key=_open_ms)

    def _trim(self) -> None:
        if len(self.rows) > self.rows_max * 5 // 4:
            del self.rows[: len(self.rows) - self.rows_max]
            self.known_from_ms = self.rows[0].open_ms


def _open_ms(candle: Candle) -> int:
    return candle.open_ms


class CandleStore:
    """A market's series. `first_trade_ms`: when its first trade ever happened, None before it."""

    def __init__(self) -> None:
        self.seconds = Series(SECOND_MS, _ROWS_MAX[SECOND_MS])
        self.minutes = Series(MINUTE_MS, _ROWS_MAX[MINUTE_MS])
        self.quarters = Series(QUARTER_MS, _ROWS_MAX[QUARTER_MS])
        self.hours = Series(HOUR_MS, _ROWS_MAX[HOUR_MS])
        self.days = Series(DAY_MS, _ROWS_MAX[DAY_MS])
        self.first_trade_ms: int | None = None

    def add(self, trade: Trade) -> None:
        """Take in the next trade."""
        if self.first_trade_ms is None:
            self.first_trade_ms = trade.time_ms
        self.seconds.add(trade)
        self.minutes.add(trade)
        self.quarters.add(trade)
        self.hours.add(trade)
        self.days.add(trade)

    def price_before(self, minute_ms: int) -> int:
        """Price in ticks of the last trade before a whole minute, 0 if there was none."""
        earlier = self.minutes.last_before(minute_ms)
        if earlier is None:
            # Minutes are kept for a shorter time than hours.
            earlier = self.hours.last_before(minute_ms - minute_ms % HOUR_MS)
        return earlier.close_ticks if earlier else 0

    def base(self, interval: Interval) -> Series:
        """The coarsest series from which this interval can be put together."""
        step_ms = base_step_ms(interval)
        every = (self.seconds, self.minutes, self.quarters, self.hours, self.days)
        return next(series for series in every if series.step_ms == step_ms)

    def bucket(self, interval: Interval, open_ms: int) -> Candle | None:
        """One bucket from memory, flat if nothing was traded in it; None before the first trade."""
        series = self.base(interval)
        earlier = series.last_before(open_ms)
        rows = series.between(open_ms, interval.moved(open_ms, 1))
        found = fill(rows, interval, [open_ms], earlier.close_ticks if earlier else None)
        return found[0] if found else None


def fold(trades: Iterable[Trade]) -> dict[int, list[Candle]]:
    """The candles of each step (of STEPS_MS) that one market's trades make, ascending as the trades do.

    Each step is made of the finer one, so a trade is looked at once.
    """
    finest: dict[int, Candle] = {}
    for trade in trades:
        open_ms = trade.time_ms - trade.time_ms % STEPS_MS[0]
        candle = finest.get(open_ms)
        if candle is None:
            candle = finest[open_ms] = Candle(open_ms, trade.price_ticks)
        candle.add_trade(trade)
    folded = {STEPS_MS[0]: list(finest.values())}
    for finer_ms, step_ms in pairwise(STEPS_MS):
        coarser: dict[int, Candle] = {}
        for candle in folded[finer_ms]:
            open_ms = candle.open_ms - candle.open_ms % step_ms
            if open_ms in coarser:
                coarser[open_ms].add_candle(candle)
            else:
                coarser[open_ms] = candle.copy_at(open_ms)
        folded[step_ms] = list(coarser.values())
    return folded


def base_step_ms(interval: Interval) -> int:
    """Step of the coarsest series from which an interval can be put together."""
    length_ms = interval.step_ms or DAY_MS
    fitting = (s for s in STEPS_MS if length_ms % s == 0 and interval.offset_ms % s == 0)
    return max(fitting, default=SECOND_MS)


def steps_of(interval: Interval) -> list[int]:
    """The steps, coarsest first, that a bucket is put together of with the fewest rows.

    Coarse ones inside; where an edge of the bucket falls into a coarse one, finer ones take its place.
    """
    base_ms = base_step_ms(interval)
    length_ms = interval.step_ms or _MONTH_MS_MIN
    return [
        step_ms
        for step_ms in reversed(STEPS_MS)
        if base_ms <= step_ms and (step_ms == base_ms or step_ms < length_ms)
    ]


def rows_per_bucket(interval: Interval) -> int:
    """Of how many stored rows, at most, a bucket is put together by the steps of `steps_of`."""
    steps_ms = steps_of(interval)
    inside = (interval.step_ms or _MONTH_MS_MAX) // steps_ms[0] + (len(steps_ms) > 1)
    return inside + sum(coarser_ms // step_ms for coarser_ms, step_ms in pairwise(steps_ms))


def buckets(
    interval: Interval,
    *,
    first_trade_ms: int | None,
    now_ms: int,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> list[int]:
    """Beginnings of the buckets that a klines request asks for (binance-spot-api 2: time-range lists).

    Buckets begin between start_ms and end_ms; with a start the oldest come, else the newest. There are
    none before the market's first trade and none in the future.
    """
    if first_trade_ms is None:
        return []
    earliest = interval.start_of(first_trade_ms)
    latest = interval.start_of(now_ms if end_ms is None else min(now_ms, end_ms))
    if start_ms is None:
        opening = max(earliest, interval.moved(latest, 1 - limit))
    else:
        opening = interval.start_of(start_ms)
        if opening < start_ms:
            opening = interval.moved(opening, 1)
        opening = max(opening, earliest)
    openings: list[int] = []
    while opening <= latest and len(openings) < limit:
        openings.append(opening)
        opening = interval.moved(opening, 1)
    return openings


def fill(
    rows: Iterable[Candle], interval: Interval, openings: Sequence[int], price_ticks: int | None
) -> list[Candle]:
    """One candle for each opening, in order.

    `rows` ascend and lie within the openings' buckets. `price_ticks`: the last price before the first
    opening, None when there was none; openings before the first price are left out.
    """
    pending: Iterator[Candle] = iter(rows)
    row = next(pending, None)
    filled: list[Candle] = []
    for open_ms in openings:
        end_ms = interval.moved(open_ms, 1)
        candle: Candle | None = None
        while row is not None and row.open_ms < end_ms:
            if candle is None:
                candle = row.copy_at(open_ms)
            else:
                candle.add_candle(row)
            row = next(pending, None)
        if candle is None:
            if price_ticks is None:
                continue
            candle = Candle(open_ms, price_ticks)
        price_ticks = candle.close_ticks
        filled.append(candle)
    return filled
