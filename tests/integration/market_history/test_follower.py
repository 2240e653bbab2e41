"""Promises of services/market_history: what is read back is what was traded, whatever happened meanwhile."""

import asyncio
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import boto3
import pytest

from exchange.adapters.chosen.market_history import HistoryTables
from exchange.adapters.memory.log import MemoryLog
from exchange.ports.world import HistoryError, HistoryRow, HistoryTable
from exchange.process.config import Settings
from exchange.trading.candles import buckets, fill
from exchange.trading.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, Interval
from exchange.trading.trades import Trade
from services.market_history.component import PositionError
from services.market_history.main import followers
from services.market_history.rows import trade_series
from tests.event_streams import START_MS
from tests.integration.market_history.conftest import SHARDS
from tests.integration.market_history.throttling import throttling
from tests.integration.market_history.trading import (
    Tape,
    candles_of,
    follow,
    lake_lines,
    lake_records,
    opened,
    reading,
    running,
    until_written,
)

pytestmark = pytest.mark.integration
ZONE_MS = -(3 * HOUR_MS + 30 * MINUTE_MS)


def klines(trades: Sequence[Trade], interval: Interval, now_ms: int, limit: int) -> list[tuple[int, ...]]:
    """What the market-data service answers with."""
    store = candles_of(trades)
    openings = buckets(
        interval, first_trade_ms=store.first_trade_ms, now_ms=now_ms, start_ms=None, end_ms=None, limit=limit
    )
    series = store.base(interval)
    earlier = series.last_before(openings[0])
    rows = series.between(openings[0], interval.moved(openings[-1], 1))
    filled = fill(rows, interval, openings, earlier.close_ticks if earlier else None)
    return [candle.values() for candle in filled]


async def check_everything(settings: Settings, tape: Tape) -> None:
    """Candles of some intervals and all trades are those of the tape."""
    async with reading(settings) as reader:
        for symbol, trades in tape.trades.items():
            for name in ("1s", "5m", "1d", "1M"):
                interval = INTERVALS[name].in_zone(ZONE_MS if name == "1d" else 0)
                found = await reader.candles(symbol, interval, now_ms=tape.now_ms + 9_000, limit=100)
                assert [c.values() for c in found] == klines(trades, interval, tape.now_ms + 9_000, 100), name
            read: list[Trade] = []
            while page := await reader.trades_by_id(symbol, len(read) + 1, 1_000):
                read += page
            assert read == trades


async def rows_of(table: HistoryTable, series: str) -> list[HistoryRow]:
    return await table.read(series, 0, 2**53, limit=100_000)


async def everything(settings: Settings) -> list[list[HistoryRow]]:
    """All rows but the positions."""
    async with opened(settings) as (candles, trades, _):
        names = [f"{symbol}#{shard}" for symbol in ("BTCUSDT", "ETHUSDT") for shard in range(SHARDS)]
        steps = [name.replace("#", f"#{step}#") for name in names for step in ("1s", "1m", "15m", "1h", "1d")]
        return [await rows_of(trades, name) for name in names] + [
            await rows_of(candles, name) for name in ["assets#0", "markets#0", *steps]
        ]


async def test_what_is_read_back_is_what_was_traded(settings: Settings) -> None:
    tape = Tape(seed=1)
    await tape.grow(600)
    await follow(settings, tape.log, tape.seq)
    await check_everything(settings, tape)
    # Later, in another process, in the middle of open candles.
    await tape.grow(300, gap_ms_max=30_000)
    await follow(settings, tape.log, tape.seq)
    await check_everything(settings, tape)


async def test_candles_that_would_be_cut_are_refused(settings: Settings) -> None:
    tape = Tape(seed=17)
    await tape.grow(60)
    await follow(settings, tape.log, tape.seq)
    late_ms = tape.now_ms + 4_000 * DAY_MS
    async with reading(settings) as reader:
        weeks = INTERVALS["1w"].in_zone(ZONE_MS)
        with pytest.raises(HistoryError, match="ask for fewer"):
            await reader.candles("BTCUSDT", weeks, now_ms=late_ms, start_ms=0)
        found = await reader.candles("BTCUSDT", weeks, now_ms=late_ms, start_ms=0, limit=100)
        assert sum(candle.count for candle in found) == len(tape.trades["BTCUSDT"])


@pytest.mark.thorough_for("aws")
async def test_trades_are_found_by_time(settings: Settings) -> None:
    tape = Tape(seed=2)
    await tape.grow(300)
    await follow(settings, tape.log, tape.seq)
    pick = random.Random(3)
    async with reading(settings) as reader:
        for symbol, trades in tape.trades.items():
            for _ in range(3):
                start_ms, end_ms = sorted(pick.randint(START_MS - 5_000, tape.now_ms + 5_000) for _ in "ab")
                wanted = [trade for trade in trades if start_ms <= trade.time_ms < end_ms]
                assert await reader.trades(symbol, start_ms=start_ms, end_ms=end_ms) == wanted
                assert await reader.trades(symbol, start_ms=start_ms, end_ms=end_ms, limit=7) == wanted[:7]
                newest = [trade for trade in trades if trade.time_ms < end_ms][-7:]
                assert await reader.trades(symbol, start_ms=None, end_ms=end_ms, limit=7) == newest
        assert await reader.trades("NONE", start_ms=0, end_ms=tape.now_ms) == []
        assert await reader.candles("NONE", INTERVALS["1m"], now_ms=tape.now_ms) == []
        assert await reader.market("NONE") is None
        market = await reader.market("BTCUSDT")
        assert market is not None
        assert (market.base.code, market.quote.code) == ("BTC", "USDT")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [800, pytest.param(10_000, marks=pytest.mark.thorough)])
async def test_a_hot_market_is_spread_over_its_keys_and_read_in_order(settings: Settings, count: int) -> None:
    tape = Tape(seed=4)
    await tape.grow(count, gap_ms_max=3, markets=(1,))
    await follow(settings, tape.log, tape.seq)
    async with opened(settings) as (_, trades, _):
        counts = [len(await rows_of(trades, trade_series("BTCUSDT", shard))) for shard in range(SHARDS)]
    assert sum(counts) == count
    assert max(counts) <= 2 * min(counts)
    async with reading(settings) as reader:
        read: list[Trade] = []
        while len(read) < count:
            read += await reader.trades_by_id("BTCUSDT", len(read) + 1, 300)
        assert read == tape.trades["BTCUSDT"]
    lines = lake_lines(lake_records(settings))["BTCUSDT"]
    assert [line["trade_id"] for line in lines] == list(range(1, count + 1))


@pytest.mark.thorough_for("aws")
async def test_a_replay_from_the_start_changes_nothing(settings: Settings) -> None:
    tape = Tape(seed=5)
    await tape.grow(400)
    await follow(settings, tape.log, tape.seq)
    before = await everything(settings)
    async with opened(settings) as (candles, trades, _):
        # A table that hides the positions: as if they had never been written.
        hiding = HistoryTables(Forgetful(candles), trades)
        components = followers(settings, tape.log, hiding, None)
        async with running(components) as tasks:
            await until_written(components, tape.seq, tasks)
    assert await everything(settings) == before
    await check_everything(settings, tape)


@pytest.mark.thorough_for("aws")
async def test_a_process_that_is_behind_does_no_harm_and_stops(settings: Settings) -> None:
    tape = Tape(seed=15)
    await tape.grow(600, gap_ms_max=60)
    await follow(settings, tape.log, tape.seq)
    before = await everything(settings)
    behind = MemoryLog(lambda: 0)
    behind.records = tape.log.records[: len(tape.log.records) // 2]
    async with opened(settings) as (candles, trades, _):
        components = followers(settings, behind, HistoryTables(Forgetful(candles), trades), None)
        async with running(components) as tasks:
            with pytest.raises(ExceptionGroup) as failure:
                await until_written(components, tape.seq, tasks)
            assert failure.group_contains(PositionError, match="another one went on")
    assert await everything(settings) == before


class Forgetful:
    """A table that has no positions at first."""

    def __init__(self, table: HistoryTable) -> None:
        self._table = table
        self._hidden = True

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        if newer_by == "seq":
            self._hidden = False
        return await self._table.put(rows, newer_by)

    async def read(self, series: str, first: int, last: int, **how: Any) -> list[HistoryRow]:
        if self._hidden and series.startswith("position"):
            return []
        return await self._table.read(series, first, last, **how)


class Crash(Exception):
    """The end of a process."""


class Crashing:
    """A table that writes some of the rows of one call and ends the process."""

    def __init__(self, table: HistoryTable, calls: int, pick: random.Random) -> None:
        self._table = table
        self._calls = calls
        self._pick = pick

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        self._calls -= 1
        if self._calls == 0 and rows:
            await self._table.put(self._pick.sample(rows, self._pick.randint(0, len(rows))), newer_by)
            raise Crash
        return await self._table.put(rows, newer_by)

    async def read(self, series: str, first: int, last: int, **how: Any) -> list[HistoryRow]:
        return await self._table.read(series, first, last, **how)


async def test_markets_that_another_follower_has_written_in_part_are_taken_from_the_log(
    settings: Settings,
) -> None:
    tape = Tape(seed=14)
    await tape.grow(20)
    await follow(settings, tape.log, tape.seq)
    listed = next(rows for rows in await everything(settings) if rows and rows[0].series == "markets#0")
    empty = settings.model_copy(update={"shard": 1})
    async with opened(empty) as (candles, _, _):
        await candles.put([row._replace(series="markets#1") for row in listed])
    await follow(empty, tape.log, tape.seq)
    async with reading(empty) as reader:
        assert await reader.market("BTCUSDT") is not None


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_crash_anywhere_in_a_batch_neither_loses_nor_doubles(settings: Settings) -> None:
    tape = Tape(seed=6)
    pick = random.Random(6)
    crashes = 0
    for round_number in range(8):
        await tape.grow(60, gap_ms_max=1_500)
        async with opened(settings) as (candles, trades, lake):
            # Listings, trades, candles, the position: wherever the next call of either table is.
            dying = HistoryTables(
                Crashing(candles, pick.randint(1, 5), pick),
                Crashing(trades, 1 if round_number % 4 == 3 else 99, pick),
            )
            components = followers(settings, tape.log, dying, lake)
            try:
                async with running(components) as tasks:
                    await until_written(components, tape.seq, tasks)
            except* Crash:
                crashes += 1
    assert crashes >= 4
    await follow(settings, tape.log, tape.seq)
    await check_everything(settings, tape)
    for symbol, lines in lake_lines(lake_records(settings)).items():
        first_copies = list(dict.fromkeys(line["trade_id"] for line in lines))
        assert first_copies == [trade.id for trade in tape.trades[symbol]]


async def test_a_follower_that_another_one_has_overtaken_stops(settings: Settings) -> None:
    tape = Tape(seed=7)
    await tape.grow(50)
    async with opened(settings) as (candles, trades, _):
        components = followers(settings, tape.log, HistoryTables(candles, trades), None)
        async with running(components) as tasks:
            await until_written(components, tape.seq, tasks)
            ahead = (await candles.read("position#0#tables", 0, 0, limit=1))[0]
            await candles.put([ahead._replace(values={**ahead.values, "seq": tape.seq + 1_000_000})])
            await tape.grow(50)
            with pytest.raises(ExceptionGroup) as failure:
                await until_written(components, tape.seq, tasks)
            assert failure.group_contains(PositionError)
    # One that begins there finds that this is not its log.
    async with opened(settings) as (candles, trades, _):
        far = ahead._replace(values={**ahead.values, "next_offset": 10**6})
        await candles.put([far])
        components = followers(settings, tape.log, HistoryTables(candles, trades), None)
        async with running(components) as tasks:
            with pytest.raises(ExceptionGroup) as failure:
                await until_written(components, tape.seq, tasks)
            assert failure.group_contains(PositionError, match="log ends")


@pytest.mark.thorough_for("aws")
async def test_more_shards_later_show_every_row_once(settings: Settings) -> None:
    tape = Tape(seed=8)
    await tape.grow(200)
    await follow(settings.model_copy(update={"market_history_shards": 2}), tape.log, tape.seq)
    await tape.grow(200)
    await follow(settings, tape.log, tape.seq)
    await check_everything(settings, tape)


async def test_what_has_expired_is_not_written_and_the_rest_says_when_it_does(settings: Settings) -> None:
    tape = Tape(seed=9)
    await tape.grow(100)
    short = {"market_history_trades_days": 1, "market_history_seconds_days": 1}
    await follow(settings.model_copy(update=short), tape.log, tape.seq)
    async with opened(settings) as (candles, trades, _):
        for shard in range(SHARDS):
            assert await rows_of(trades, f"BTCUSDT#{shard}") == []
            assert await rows_of(candles, f"BTCUSDT#1s#{shard}") == []
    async with reading(settings) as reader:
        asked = INTERVALS["1m"]
        found = await reader.candles("BTCUSDT", asked, now_ms=tape.now_ms, limit=100)
        assert [c.values() for c in found] == klines(tape.trades["BTCUSDT"], asked, tape.now_ms, 100)
        assert await reader.trades("BTCUSDT", start_ms=0, end_ms=tape.now_ms) == []


async def test_items_carry_what_dynamodb_expires_them_by(dynamodb_tables: dict[str, str]) -> None:
    days = 10_000
    settings = Settings(
        market_history=f"dynamodb:{dynamodb_tables['candles']},{dynamodb_tables['trades']}",
        market_history_trades_days=days,
        market_history_seconds_days=days,
        market_history_age_ms=20,
    )
    tape = Tape(seed=10)
    await tape.grow(20, markets=(1,))
    await follow(settings, tape.log, tape.seq)
    client = boto3.client("dynamodb")
    for item in client.scan(TableName=dynamodb_tables["trades"])["Items"]:
        assert int(item["expires_at_s"]["N"]) == int(item["time_ms"]["N"]) // 1000 + days * 86_400
    for item in client.scan(TableName=dynamodb_tables["candles"])["Items"]:
        assert ("expires_at_s" in item) is ("#1s#" in item["series"]["S"])
    client.close()


async def test_throttling_and_lost_answers_cost_time_only(
    dynamodb_tables: dict[str, str], kinesis_stream: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        market_history=f"dynamodb:{dynamodb_tables['candles']},{dynamodb_tables['trades']}",
        lake=f"kinesis:{kinesis_stream}",
        market_history_trades_days=100_000,
        market_history_seconds_days=100_000,
        market_history_age_ms=20,
        market_history_shards=SHARDS,
    )
    tape = Tape(seed=11)
    async with throttling(aws, seed=12) as (proxy, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        for _ in range(3):
            await tape.grow(50)
            await follow(settings, tape.log, tape.seq)
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    print(dict(proxy.refused))
    for what in ("PutRecords: all", "PutRecords: part", "BatchWriteItem: part", "PutItem: all"):
        assert proxy.refused[what] > 0, what
    await check_everything(settings, tape)
    for symbol, lines in lake_lines(lake_records(settings)).items():
        first_copies = list(dict.fromkeys(line["trade_id"] for line in lines))
        assert first_copies == [trade.id for trade in tape.trades[symbol]]
        assert all(a["seq"] <= b["seq"] for a, b in pairwise(_first(lines)))


def _first(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({line["trade_id"]: line for line in reversed(lines)}.values())[::-1]


async def test_a_table_that_is_away_is_told_and_waited_for(settings: Settings) -> None:
    tape = Tape(seed=13)
    await tape.grow(40)
    async with opened(settings) as (candles, trades, _):
        away = Away(trades)
        (component,) = components = followers(settings, tape.log, HistoryTables(candles, away), None)
        async with running(components) as tasks:
            async with asyncio.timeout(20.0):
                while "away" not in str(component.readiness()):
                    await asyncio.sleep(0.02)
            away.is_back = True
            await until_written(components, tape.seq, tasks)
            assert component.readiness() == {"market-history-tables": None}
    await check_everything(settings, tape)


class Away:
    def __init__(self, table: HistoryTable) -> None:
        self._table = table
        self.is_back = False

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        if not self.is_back:
            raise HistoryError("away")
        return await self._table.put(rows, newer_by)

    async def read(self, series: str, first: int, last: int, **how: Any) -> list[HistoryRow]:
        return await self._table.read(series, first, last, **how)
