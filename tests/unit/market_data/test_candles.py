"""Candles of every interval and time zone, and rolling statistics, against a plain recount of the trades."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from exchange.trading.candles import (
    ROWS_PER_BUCKET_MAX,
    STEPS_MS,
    CandleStore,
    base_step_ms,
    buckets,
    fill,
    fold,
    rows_per_bucket,
    steps_of,
)
from exchange.trading.intervals import (
    DAY_MS,
    HOUR_MS,
    INTERVALS,
    MINUTE_MS,
    parse_time_zone,
    parse_window_ms,
)
from exchange.trading.trades import Trade
from services.market_data.markets.windows import RollingWindow, window_start_ms

START_MS = int(datetime(2024, 1, 30, 22, 58, 30, tzinfo=UTC).timestamp()) * 1000


def random_trades(seed: int, count: int, gap_ms_max: int) -> list[Trade]:
    pick = random.Random(seed)
    time_ms, price, trades = START_MS, 10_000, []
    for number in range(1, count + 1):
        time_ms += pick.choice((0, 0, pick.randint(0, gap_ms_max)))
        price = max(1, price + pick.randint(-30, 30))
        lots = pick.randint(1, 50)
        trades.append(
            Trade(number, time_ms, price, lots, price * lots * 10, pick.random() < 0.5, number // 2)
        )
    return trades


def store_of(trades: list[Trade]) -> CandleStore:
    store = CandleStore()
    for trade in trades:
        store.add(trade)
    return store


@pytest.mark.parametrize("name", list(INTERVALS))
@pytest.mark.parametrize("zone", ["0", "+08:00", "-03:30", "5:45"])
def test_candles_of_every_interval_and_zone_equal_a_recount(name: str, zone: str) -> None:
    gap_ms = {"s": 3_000, "m": 200_000, "h": 4 * HOUR_MS, "d": DAY_MS, "w": 4 * DAY_MS, "M": 20 * DAY_MS}
    trades = random_trades(7, 400, gap_ms[name[-1]])
    store = store_of(trades)
    offset_ms = parse_time_zone(zone)
    assert offset_ms is not None
    interval = INTERVALS[name].in_zone(offset_ms)
    openings = buckets(
        interval,
        first_trade_ms=store.first_trade_ms,
        now_ms=trades[-1].time_ms + 3 * MINUTE_MS,
        start_ms=0,
        end_ms=None,
        limit=1_000,
    )
    series = store.base(interval)
    rows = series.between(openings[0], interval.moved(openings[-1], 1))
    candles = fill(rows, interval, openings, None)
    assert [candle.open_ms for candle in candles] == openings
    last_price = 0
    for candle in candles:
        end_ms = interval.moved(candle.open_ms, 1)
        inside = [trade for trade in trades if candle.open_ms <= trade.time_ms < end_ms]
        if not inside:
            assert candle.values() == (
                last_price,
                -1,
                last_price,
                -1,
                last_price,
                candle.open_ms,
                last_price,
                0,
                0,
                0,
                0,
            )
            assert candle.count == 0
            continue
        prices = [trade.price_ticks for trade in inside]
        last_price = prices[-1]
        assert (candle.open_ticks, candle.close_ticks) == (prices[0], prices[-1])
        assert (candle.high_ticks, candle.low_ticks) == (max(prices), min(prices))
        assert (candle.first_id, candle.last_id) == (inside[0].id, inside[-1].id)
        assert candle.count == len(inside)
        assert candle.quantity_lots == sum(trade.quantity_lots for trade in inside)
        assert candle.quote_atoms == sum(trade.quote_atoms for trade in inside)
        bought = [trade for trade in inside if not trade.buyer_is_maker]
        assert candle.taker_lots == sum(trade.quantity_lots for trade in bought)
        assert candle.taker_quote_atoms == sum(trade.quote_atoms for trade in bought)


@pytest.mark.parametrize("seed", range(5))
def test_folded_trades_are_the_series_that_they_make_one_by_one(seed: int) -> None:
    print(f"seed {seed}")
    trades = random_trades(seed, 500, (400, 30_000, HOUR_MS)[seed % 3])
    store = store_of(trades)
    folded = fold(trades)
    assert tuple(folded) == STEPS_MS
    for series in (store.seconds, store.minutes, store.quarters, store.hours, store.days):
        assert [candle.values() for candle in folded[series.step_ms]] == [
            candle.values() for candle in series.rows
        ]


def test_every_interval_is_made_of_few_rows_in_every_zone() -> None:
    for minutes in range(-12 * 60, 14 * 60 + 1, 15):
        for interval in INTERVALS.values():
            asked = interval.in_zone(minutes * MINUTE_MS)
            steps = steps_of(asked)
            assert steps[-1] == base_step_ms(asked)
            assert steps == sorted(steps, reverse=True)
            assert 1 <= rows_per_bucket(asked) <= ROWS_PER_BUCKET_MAX
            # The steps of a bucket, counted: as few as can be, less what lies at its edges.
            opening = asked.start_of(START_MS)
            at_ms, count = opening, 0
            while at_ms < asked.moved(opening, 1):
                fitting = [s for s in STEPS_MS if at_ms % s == 0 and at_ms + s <= asked.moved(opening, 1)]
                at_ms += max(fitting)
                count += 1
            assert count <= rows_per_bucket(asked)
    assert rows_per_bucket(INTERVALS["1M"].in_zone(345 * MINUTE_MS)) == ROWS_PER_BUCKET_MAX


def test_weeks_begin_on_monday_and_months_on_the_first_in_their_zone() -> None:
    moment_ms = int(datetime(2024, 3, 1, 2, 0, tzinfo=UTC).timestamp()) * 1000
    offset_ms = -5 * HOUR_MS
    week = INTERVALS["1w"].in_zone(offset_ms).start_of(moment_ms)
    month = INTERVALS["1M"].in_zone(offset_ms).start_of(moment_ms)
    local = timedelta(milliseconds=offset_ms)
    assert datetime.fromtimestamp(week // 1000, UTC) + local == datetime(2024, 2, 26, tzinfo=UTC)
    assert datetime.fromtimestamp(month // 1000, UTC) + local == datetime(2024, 2, 1, tzinfo=UTC)
    following = INTERVALS["1M"].in_zone(offset_ms).moved(month, 11)
    assert datetime.fromtimestamp(following // 1000, UTC) + local == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (None, None, 3, [7, 8, 9]),
        (2, None, 3, [2, 3, 4]),
        (None, 5, 3, [3, 4, 5]),
        (2, 3, 10, [2, 3]),
        (2.5, None, 2, [3, 4]),
        (None, 0.5, 3, [0]),
        (-100, None, 2, [0, 1]),
        (12, None, 2, []),
        (5, 4, 2, []),
    ],
)
def test_a_time_range_gives_the_oldest_from_its_start_else_the_newest(
    start: float | None, end: float | None, limit: int, expected: list[int]
) -> None:
    minute = INTERVALS["1m"]
    first = minute.start_of(START_MS)
    found = buckets(
        minute,
        first_trade_ms=first + 10,
        now_ms=first + 9 * MINUTE_MS + 5,
        start_ms=None if start is None else int(first + start * MINUTE_MS),
        end_ms=None if end is None else int(first + end * MINUTE_MS),
        limit=limit,
    )
    assert [(opening - first) // MINUTE_MS for opening in found] == expected


def test_there_are_no_candles_before_the_first_trade() -> None:
    assert not buckets(
        INTERVALS["1m"], first_trade_ms=None, now_ms=START_MS, start_ms=0, end_ms=None, limit=5
    )


@pytest.mark.parametrize(
    ("text", "offset_ms"),
    [("0", 0), ("8", 8 * HOUR_MS), ("+08:00", 8 * HOUR_MS), ("-1:00", -HOUR_MS), ("05:45", 345 * MINUTE_MS)],
)
def test_time_zones_are_read_in_all_forms(text: str, offset_ms: int) -> None:
    assert parse_time_zone(text) == offset_ms


@pytest.mark.parametrize("text", ["", "15", "-12:15", "14:15", "1:07", "x", "+-1", "1:0", "٣"])
def test_bad_time_zones_are_refused(text: str) -> None:
    assert parse_time_zone(text) is None


@pytest.mark.parametrize("text", ["0m", "60m", "24h", "8d", "1w", "1", "", "01", "1M"])
def test_bad_windows_are_refused(text: str) -> None:
    assert parse_window_ms(text) is None


@pytest.mark.parametrize("length_ms", [HOUR_MS, 4 * HOUR_MS, DAY_MS])
@pytest.mark.parametrize("loaded_after", [0, 150])
def test_rolling_statistics_equal_a_recount_at_every_trade(length_ms: int, loaded_after: int) -> None:
    trades = random_trades(9, 600, 12 * MINUTE_MS)
    store = store_of(trades[:loaded_after])
    window = RollingWindow(length_ms, store)
    if loaded_after:
        window.load(trades[loaded_after - 1].time_ms)
    for number in range(loaded_after, len(trades)):
        trade = trades[number]
        store.add(trade)
        window.follow()
        window.advance(trade.time_ms)
        stats = window.statistics()
        start_ms = window_start_ms(trade.time_ms, length_ms)
        inside = [one for one in trades[: number + 1] if one.time_ms >= start_ms]
        before = [one for one in trades[: number + 1] if one.time_ms < start_ms]
        prices = [one.price_ticks for one in inside]
        assert stats == (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            sum(one.quantity_lots for one in inside),
            sum(one.quote_atoms for one in inside),
            inside[0].id,
            inside[-1].id,
            before[-1].price_ticks if before else 0,
        )
    window.advance(trades[-1].time_ms + 2 * DAY_MS)
    last = trades[-1].price_ticks
    assert window.statistics() == (last, last, last, last, 0, 0, -1, -1, last)
