"""What market data ask of the database does not grow with the years, and is exact all the same."""

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import pytest

from exchange.contracts.codes import BUY, SELL
from exchange.process.components import Resources
from exchange.trading.candles import ROWS_PER_BUCKET_MAX
from exchange.trading.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, parse_time_zone
from exchange.trading.market import Market
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.state import MarketState
from services.projections.ledger.candle_backfill import fold_step, unfolded
from services.projections.ledger.store import TRADE_COLUMNS
from tests.at_work import open_resources
from tests.contract.market_data_server import MarketDataServer, serving, settings_of
from tests.contract.query_costs import WatchedReaders, rows_read
from tests.contract.test_market_data_bootstrap import publish, write_ledger
from tests.event_streams import EngineStream, RandomTrading, stretched

pytestmark = pytest.mark.integration

NOW_MS = 1_790_000_000_000
MARKET_ID = 1
RING = 50
# So few that most of what is asked for lies behind memory.
KEPT = {1_000: 60, 60_000: 1_500, 900_000: 300, HOUR_MS: 400, DAY_MS: 40}
KEPT_LESS = {1_000: 20, 60_000: 60, 900_000: 60, HOUR_MS: 60, DAY_MS: 10}
ZONES = ("0", "8", "-3:30", "5:45", "-12:00", "14:00", "0:15")
_GAPS_MS_MAX = (10 * MINUTE_MS, 12 * HOUR_MS, 10 * DAY_MS)


class Told(NamedTuple):
    """A trade, as far as candles depend on it."""

    id: int
    time_ms: int
    price_ticks: int
    quantity_lots: int
    quote_atoms: int
    is_bought: bool


def years_of_trades(seed: int, count: int) -> list[Told]:
    """Bursts and quiet hours over some three years, the last one lately."""
    pick = random.Random(seed)
    gaps = []
    for _ in range(count):
        lengths_ms = (0, pick.randint(1, 2_000), *(pick.randint(0, most) for most in _GAPS_MS_MAX))
        gaps.append(pick.choices(lengths_ms, (20, 40, 30, 9.9, 0.1))[0])
    time_ms, price, told = NOW_MS - sum(gaps), 5_000_000, []
    for number, gap in enumerate(gaps, 1):
        time_ms += gap
        price = max(1, price + pick.randint(-300, 300))
        lots = pick.randint(1, 5_000)
        told.append(Told(number, time_ms, price, lots, price * lots * 10, pick.random() < 0.5))
    return told


@pytest.fixture
async def resources(
    database_dsn: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Resources]:
    monkeypatch.setattr("services.market_data.markets.bootstrap.RING_SIZE_MAX", RING)
    monkeypatch.setattr("exchange.trading.candles._ROWS_MAX", KEPT)
    async with open_resources(settings_of(database_dsn, valkey_url)) as opened:
        yield opened


async def aged(resources: Resources, trades: Sequence[Told]) -> None:
    """The genesis markets by the ledger, years of trades beside it, and their candles."""
    genesis = EngineStream()
    await publish(resources, genesis)
    await write_ledger(resources, genesis.seq)
    async with resources.database.acquire() as connection:
        await connection.copy_records_to_table(
            "trades",
            columns=TRADE_COLUMNS,
            records=[
                (MARKET_ID, one.id, one.time_ms, 1, BUY if one.is_bought else SELL, one.price_ticks,
                 one.quantity_lots, 1, one.quote_atoms, 1, 1001, 0, 2, 1002, 0, 0, 0)
                for one in trades
            ],
        )  # fmt: skip
        while behind := await unfolded(connection):
            await fold_step(connection, behind[0])
        await connection.execute("ANALYZE")


def watch(server: MarketDataServer, resources: Resources) -> WatchedReaders:
    """Let what requests ask of the past be noted."""
    readers = WatchedReaders.from_resources(resources)
    assert isinstance(readers, WatchedReaders)
    vars(vars(server.service)["_history"])["_readers"] = readers
    return readers


def expected_rows(
    market: Market, trades: Sequence[Told], name: str, zone: str, openings: Sequence[int]
) -> list[list[object]]:
    """Klines by hand: each bucket from all of its trades."""
    offset_ms = parse_time_zone(zone)
    assert offset_ms is not None
    interval = INTERVALS[name].in_zone(offset_ms)
    times, rows = [one.time_ms for one in trades], []
    for opening in openings:
        end_ms = interval.moved(opening, 1)
        first, last = bisect_left(times, opening), bisect_left(times, end_ms)
        inside = trades[first:last]
        prices = [one.price_ticks for one in inside] or [trades[first - 1].price_ticks]
        bought = [one for one in inside if one.is_bought]
        rows.append([
            opening, *map(market.price, (prices[0], max(prices), min(prices), prices[-1])),
            market.quantity(sum(one.quantity_lots for one in inside)), end_ms - 1,
            market.quote_amount(sum(one.quote_atoms for one in inside)), len(inside),
            market.quantity(sum(one.quantity_lots for one in bought)),
            market.quote_amount(sum(one.quote_atoms for one in bought)), "0",
        ])  # fmt: skip
    return rows


async def test_a_start_reads_no_more_after_years(resources: Resources) -> None:
    trades = years_of_trades(1, 30_000)
    await aged(resources, trades)
    readers = WatchedReaders.from_resources(resources)
    assert isinstance(readers, WatchedReaders)
    state, _ = await load_state(readers, 0, NOW_MS)
    view = state.views[MARKET_ID]
    assert view.last_trade is not None
    assert (view.last_trade.id, view.candles.first_trade_ms) == (len(trades), trades[0].time_ms)
    assert {s.step_ms: len(s.rows) for s in (view.candles.hours, view.candles.days)} == {
        HOUR_MS: KEPT[HOUR_MS],
        DAY_MS: KEPT[DAY_MS],
    }
    read: Counter[str] = Counter()
    async with resources.database.acquire() as connection:
        for statement, arguments in readers.take():
            read.update(await rows_read(connection, statement, arguments))
    markets = len(state.views)
    # The newest trade twice, and the first one.
    assert 0 < read["trades"] <= markets * (RING + 3)
    for table, step_ms in (("1s", 1_000), ("1m", 60_000), ("15m", 900_000), ("1h", HOUR_MS), ("1d", DAY_MS)):
        assert 0 < read[f"candles_{table}"] <= markets * KEPT[step_ms]
    assert read["ledger_entries"] == 0


@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.thorough)])
async def test_klines_of_any_age_interval_and_zone_are_exact_and_cost_by_rows_returned(
    resources: Resources, seed: int
) -> None:
    print(f"seed {seed}")
    pick = random.Random(seed)
    trades = years_of_trades(seed, 20_000)
    await aged(resources, trades)
    async with serving(resources) as server, resources.database.acquire() as connection:
        readers = watch(server, resources)
        market = server.service.markets.state.views[MARKET_ID].market
        asked_of_database = 0
        for name in [*INTERVALS, *pick.choices(list(INTERVALS), k=12)]:
            zone, count = pick.choice(ZONES), pick.choice((1, 7, 100, 1_000))
            start_ms = pick.choice(
                (trades[0].time_ms - DAY_MS, pick.randint(trades[0].time_ms, NOW_MS - HOUR_MS))
            )
            query = f"symbol=BTCUSDT&interval={name}&timeZone={zone}&limit={count}&startTime={start_ms}"
            answer = await server.get(f"/api/v3/klines?{query}")
            assert answer.status_code == 200, answer.text
            rows: list[list[Any]] = answer.json()
            openings = [row[0] for row in rows]
            assert openings, query
            assert rows == expected_rows(market, trades, name, zone, openings), query
            read: Counter[str] = Counter()
            for statement, arguments in readers.take():
                asked_of_database += 1
                read.update(await rows_read(connection, statement, arguments))
            assert read["trades"] == 0
            assert sum(read.values()) <= ROWS_PER_BUCKET_MAX * len(rows) + 1 + ROWS_PER_BUCKET_MAX, query
            assert answer.headers["x-mbx-used-weight"] is not None
        assert asked_of_database > 30


async def test_aggregate_trades_of_long_ago_are_found_without_all_that_came_since(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.market_data.markets.history._TRADES_PER_READ", 100)
    trades = years_of_trades(4, 10_000)
    await aged(resources, trades)
    times = [one.time_ms for one in trades]
    async with serving(resources) as server, resources.database.acquire() as connection:
        readers = watch(server, resources)
        for moment in (trades[200].time_ms, trades[5_000].time_ms, trades[9_000].time_ms - 1):
            for query in (f"endTime={moment}", f"startTime={moment}", f"startTime={moment}&endTime={moment}"):
                answer = await server.get(f"/api/v3/aggTrades?symbol=BTCUSDT&limit=20&{query}")
                assert answer.status_code == 200, answer.text
                ids = [row["a"] for row in answer.json()]
                if query.startswith("endTime"):
                    assert len(ids) == 20
                    assert answer.json()[-1]["l"] == bisect_right(times, moment)
                elif len(ids) > 1 and "endTime" not in query:
                    assert ids[0] == bisect_left(times, moment) + 1
                read: Counter[str] = Counter()
                for statement, arguments in readers.take():
                    read.update(await rows_read(connection, statement, arguments))
                assert 0 < read["trades"] <= 4 * 100 + 50, query


async def test_memory_and_rows_meet_without_a_seam_while_trades_come(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.trading.candles._ROWS_MAX", KEPT_LESS)
    seed = 5
    print(f"seed {seed}")
    pick = random.Random(seed)
    trading = RandomTrading(seed)
    trading.run(3_000)
    stream = stretched(trading, gap_ms=29 * MINUTE_MS)
    records = stream.take_records(20)
    writer = await resources.event_log.writer()
    split = len(records) * 9 // 10
    for record in records[:split]:
        await writer.append(record)
    await write_ledger(resources, stream.outcomes[split * 20 - 1].events[-1].seq)
    async with serving(resources) as server:
        # What comes now is in memory alone: no projection runs.
        for record in records[split:]:
            await writer.append(record)
        await server.has_applied(stream.seq)
        view = server.service.markets.state.views[MARKET_ID]
        whole = MarketState()
        for outcome in stream.outcomes:
            whole.apply(outcome)
        trades = [
            Told(
                one.id,
                one.time_ms,
                one.price_ticks,
                one.quantity_lots,
                one.quote_atoms,
                not one.buyer_is_maker,
            )
            for one in whole.views[MARKET_ID].trades.items
        ]
        for series in (view.candles.minutes, view.candles.quarters, view.candles.hours, view.candles.days):
            assert series.known_from_ms > trades[0].time_ms
        for name in [*INTERVALS, *pick.choices(list(INTERVALS), k=30)]:
            zone = pick.choice(ZONES)
            border_ms = view.candles.base(INTERVALS[name].in_zone(parse_time_zone(zone) or 0)).known_from_ms
            moments = (border_ms, border_ms - pick.randint(0, 3 * DAY_MS), trades[-1].time_ms - DAY_MS)
            start_ms = max(trades[0].time_ms, pick.choice(moments))
            query = f"symbol=BTCUSDT&interval={name}&timeZone={zone}&limit=1000&startTime={start_ms}"
            answer = await server.get(f"/api/v3/uiKlines?{query}")
            assert answer.status_code == 200, answer.text
            rows = answer.json()
            openings = [row[0] for row in rows]
            assert rows == expected_rows(view.market, trades, name, zone, openings), query
