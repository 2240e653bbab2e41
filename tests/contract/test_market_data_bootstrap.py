"""A restarted service shows what one that never stopped shows."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from exchange.process.components import Resources
from exchange.process.readers import Readers
from exchange.trading.candles import STEPS_MS
from services.market_data.api import create_app
from services.market_data.component import MarketDataService
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.candle_rows import CandlesBehindError
from services.market_data.markets.state import MarketState, MarketView
from services.projections.ledger.candle_backfill import fold_step, unfolded
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import eventually, open_resources
from tests.conformance import covers
from tests.contract.market_data_server import WAIT_S, serving, settings_of
from tests.event_streams import START_MS, EventStream, RandomTrading, stretched

pytestmark = pytest.mark.integration


@pytest.fixture
async def resources(database_dsn: str, valkey_url: str) -> AsyncIterator[Resources]:
    async with open_resources(settings_of(database_dsn, valkey_url)) as opened:
        yield opened


async def publish(resources: Resources, stream: EventStream) -> None:
    writer = await resources.event_log.writer()
    for record in stream.take_records(20):
        await writer.append(record)


async def write_ledger(resources: Resources, seq: int) -> None:
    """Run the ledger projection until it stands at `seq`."""
    ledger = LedgerProjection(resources)
    await ledger.start()
    running = asyncio.create_task(ledger.run())
    async with asyncio.timeout(WAIT_S):
        while not running.done():
            at = await resources.database.fetchval("SELECT last_seq FROM positions")
            if at == seq:
                break
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ledger.stop()


def shown(view: MarketView) -> dict[str, object]:
    candles = view.candles
    return {
        "bids": view.book.bids.top(10_000),
        "asks": view.book.asks.top(10_000),
        "mode": view.market.mode,
        "rules": vars(view.market.rules),
        # What the ledger knows of its rows besides, nobody needs of those in memory.
        "trades": [one._replace(aggregate_id=0) for one in view.trades.items],
        "next aggregate trade": view.next_aggregate_id,
        "aggregates": list(view.aggregates.items),
        "first": candles.first_trade_ms,
        "candles": [
            [candle.values() for candle in series.rows]
            for series in (candles.minutes, candles.quarters, candles.hours, candles.days)
        ],
        "windows": [window.statistics() for window in view.windows.values()],
    }


@pytest.mark.parametrize("seed", [51, 52])
async def test_the_loaded_state_equals_the_one_made_from_all_events(resources: Resources, seed: int) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    trading.run(4_000)
    stream = stretched(trading)
    await publish(resources, stream)
    await write_ledger(resources, stream.seq)
    live = MarketState()
    for outcome in stream.outcomes:
        live.apply(outcome)
    loaded, position = await load_state(Readers.from_resources(resources), 0, live.time_ms)
    assert (position.seq, position.hash) == (stream.seq, stream.hash)
    assert position.next_offset == await resources.event_log.end_offset()
    assert loaded.seq == live.seq
    assert list(loaded.by_symbol) == list(live.by_symbol)
    for market_id, view in live.views.items():
        for window in view.windows.values():
            window.advance(live.time_ms)
        assert shown(loaded.views[market_id]) == shown(view)


async def test_an_empty_database_is_an_empty_exchange(resources: Resources) -> None:
    state, position = await load_state(Readers.from_resources(resources), 0, START_MS)
    assert (state.seq, position.seq, position.next_offset) == (0, 0, 0)


@covers("GET /aggTrades", "GET /historicalTrades")
async def test_what_memory_has_lost_is_read_from_the_ledger(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading = RandomTrading(53)
    trading.run(3_000)
    stream = stretched(trading)
    await publish(resources, stream)
    await write_ledger(resources, stream.seq)
    whole = MarketState()
    for outcome in stream.outcomes:
        whole.apply(outcome)
    view = whole.by_symbol["BTCUSDT"]
    trades, joined = view.trades.items, view.aggregates.items
    # As if the service had run for long: only the newest are in memory.
    monkeypatch.setattr("services.market_data.markets.bootstrap.RING_SIZE_MAX", 50)
    kept = {step_ms: 5 for step_ms in STEPS_MS}
    monkeypatch.setattr("exchange.trading.candles._ROWS_MAX", kept)
    monkeypatch.setattr("services.market_data.markets.history._TRADES_PER_READ", 40)
    monkeypatch.setattr("services.market_data.markets.history._READS_MAX", 20)
    async with serving(resources) as server:
        assert server.service.markets.state.views[1].trades.floor_id == trades[-50].id

        async def ids(query: str, key: str) -> list[int]:
            answer = await server.get(f"/api/v3/{query}&symbol=BTCUSDT")
            assert answer.status_code == 200, answer.text
            return [row[key] for row in answer.json()]

        all_ids = [one.id for one in trades]
        all_joined = [one.id for one in joined]
        assert all_joined == list(range(1, len(joined) + 1)), "no id is left out"
        assert await ids("historicalTrades?fromId=1&limit=1000", "id") == all_ids[:1000]
        assert await ids(f"historicalTrades?fromId={all_ids[-60]}", "id") == all_ids[-60:]
        assert await ids("aggTrades?fromId=0&limit=1000", "a") == all_joined[:1000]
        assert await ids(f"aggTrades?fromId={all_joined[-55]}&limit=1000", "a") == all_joined[-55:]
        # Who gets fewer than he asked for goes on behind the last of them: nothing is left out between.
        with monkeypatch.context() as fewer:
            fewer.setattr("services.market_data.markets.history._READS_MAX", 3)
            first_page = await ids("aggTrades?fromId=0&limit=1000", "a")
            assert 50 < len(first_page) < len(all_joined)
            assert first_page == all_joined[: len(first_page)]
        several = next(one for one in joined if one.last_id > one.first_id)
        following = [number for number in all_joined if number > several.id]
        assert await ids(f"aggTrades?fromId={several.id + 1}&limit=7", "a") == following[:7]
        start, end = joined[5].time_ms, joined[-5].time_ms
        inside = [one.id for one in joined if start <= one.time_ms <= end]
        assert await ids(f"aggTrades?startTime={start}&endTime={end}&limit=1000", "a") == inside[:1000]
        middle = joined[len(joined) // 2].time_ms
        until = [one.id for one in joined if one.time_ms <= middle]
        assert await ids(f"aggTrades?endTime={middle}&limit=9", "a") == until[-9:]

        first = trades[0].time_ms
        for interval, count in (("1m", 400), ("5m", 300), ("1h", 100), ("1d", 10)):
            query = f"klines?symbol=BTCUSDT&interval={interval}&startTime={first - 10**8}&limit={count}"
            rows = (await server.get(f"/api/v3/{query}")).json()
            inside_trades = [one for one in trades if one.time_ms <= rows[-1][6]]
            assert sum(row[8] for row in rows) == len(inside_trades)
            assert rows[0][1] == view.market.price(trades[0].price_ticks)
            assert rows[-1][4] == view.market.price(inside_trades[-1].price_ticks)


async def test_a_service_that_has_not_started_names_no_markets_missing(resources: Resources) -> None:
    service = MarketDataService(resources)
    transport = httpx.ASGITransport(app=create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as client:
        assert (await client.get("/api/v3/ping")).status_code == 200
        assert "serverTime" in (await client.get("/api/v3/time")).json()
        for path in ("exchangeInfo", "depth?symbol=BTCUSDT", "ticker/price", "trades?symbol=BTCUSDT"):
            answer = await client.get(f"/api/v3/{path}")
            assert (answer.status_code, answer.json()["code"]) == (503, -1001), path


async def test_a_start_waits_for_candles_that_are_still_being_made_and_says_so(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.market_data.component._START_RETRY_S", 0.02)
    monkeypatch.setattr("services.market_data.component._START_TRIES", 3)
    trading = RandomTrading(54)
    trading.run(500)
    await publish(resources, trading.stream)
    await write_ledger(resources, trading.stream.seq)
    await resources.database.execute("TRUNCATE candles, candle_folds")
    with pytest.raises(CandlesBehindError, match="BTCUSDT: trade 0 of"):
        await load_state(Readers.from_resources(resources), 0, START_MS)
    # Nobody makes them: the service gives up.
    with pytest.raises(CandlesBehindError):
        await MarketDataService(resources).start()
    monkeypatch.setattr("services.market_data.component._START_TRIES", 1_000)
    monkeypatch.setattr("services.projections.ledger.candle_backfill.TRADES_PER_STEP_MAX", 30)
    service = MarketDataService(resources)
    starting = asyncio.create_task(service.start())
    await eventually(lambda: "BTCUSDT: trade 0 of" in (service.readiness()["books"] or ""))
    async with resources.database.acquire() as connection:
        await fold_step(connection, (await unfolded(connection))[0])
        await eventually(lambda: "BTCUSDT: trade 30 of" in (service.readiness()["books"] or ""))
        assert not starting.done()
        while behind := await unfolded(connection):
            await fold_step(connection, behind[0])
    await starting
    assert service.markets.state.seq == trading.stream.seq
    await service.stop()
