"""What a klines request costs the process: bounded, in turns, once, and told by its weight."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from exchange.process.readers import Readers
from exchange.process.turns import NoTurnError, Turns
from exchange.trading import candles as candles_module
from exchange.trading.candles import Candle
from exchange.trading.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, Interval
from exchange.trading.trades import Trade
from services.market_data.markets import bucket_cache
from services.market_data.markets.bucket_cache import BucketCache
from services.market_data.markets.history import History
from services.market_data.rest import klines
from tests.event_streams import START_MS, EngineStream
from tests.unit.market_data.services import OfflineService

HOURS = 12_000


@pytest.fixture
def offline() -> OfflineService:
    """A market with a trade an hour, for as many hours as memory holds."""
    service = OfflineService()
    service.apply(EngineStream().outcomes)
    view = service.state.views[1]
    for number in range(1, HOURS + 1):
        view.add_trade(
            Trade(number, START_MS + number * HOUR_MS, 5_000_000 + number % 7, 3, 15, False, number)
        )
    service.now_ms = service.state.time_ms = START_MS + HOURS * HOUR_MS
    return service


class Watch:
    """Counts the rows that are joined, and the turns that others have between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.joined: list[int] = []
        self.turns = 0
        monkeypatch.setattr(klines, "fill", self._fill)

    def _fill(
        self, rows: Iterable[Candle], interval: Interval, openings: Sequence[int], price: int | None
    ) -> Any:
        self.joined.append(len(list(rows)))
        return candles_module.fill(rows, interval, openings, price)

    async def count_turns(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def test_candles_of_a_time_zone_are_joined_in_turns_and_only_once(
    offline: OfflineService, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    others = asyncio.create_task(watch.count_turns())
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1d&timeZone=8&limit=1000"
    first = await offline.get(path)
    assert first.status_code == 200
    assert sum(watch.joined) == HOURS
    assert max(watch.joined) <= 1_500 + 24
    assert watch.turns >= len(watch.joined) - 1 > 5
    watch.joined.clear()
    assert (await offline.get(path)).json() == first.json()
    # The day that goes on.
    assert sum(watch.joined) <= 24
    others.cancel()


async def test_a_day_that_goes_on_is_not_kept_as_it_was(offline: OfflineService) -> None:
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1d&timeZone=5:45&limit=3"
    view = offline.state.views[1]
    before = (await offline.get(path)).json()
    for number in range(HOURS + 1, HOURS + 50):
        time_ms = START_MS + number * HOUR_MS
        view.add_trade(Trade(number, time_ms, 9_000_000 + number, 3, 15, False, number))
        offline.now_ms = offline.state.time_ms = time_ms
        rows = (await offline.get(path)).json()
        fresh = OfflineService()
        fresh.apply(EngineStream().outcomes)
        fresh.state.views[1].candles = view.candles
        fresh.now_ms = fresh.state.time_ms = time_ms
        assert rows == (await fresh.get(path)).json()
    assert rows[0][0] == before[0][0] + 2 * DAY_MS


async def test_the_documented_weight_is_what_a_thousand_candles_in_utc_cost(offline: OfflineService) -> None:
    before = 0
    for name in INTERVALS:
        for path in ("klines", "uiKlines"):
            answer = await offline.get(f"/api/v3/{path}?symbol=BTCUSDT&interval={name}&limit=1000")
            used = int(answer.headers["x-mbx-used-weight-1m"])
            assert (answer.status_code, used - before) == (200, 2), (path, name)
            before = used


def test_the_cache_forgets_whole_series_and_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_cache, "CANDLES_KEPT_MAX", 100)
    cache = BucketCache()
    day = INTERVALS["1d"]
    for zone in range(4):
        cache.keep(1, day.in_zone(zone * HOUR_MS), [Candle(number, 1) for number in range(30)])
        cache.of(1, day)
    assert len(cache.of(1, day)) == 30, "asked for again and again"
    assert not cache.of(1, day.in_zone(HOUR_MS))
    assert len(cache.of(1, day.in_zone(3 * HOUR_MS))) == 30
    cache.keep(1, day, [Candle(number, 1) for number in range(500)])
    assert not cache.of(1, day)


class CountingReaders:
    """Lends connections that answer when they are told to."""

    def __init__(self) -> None:
        self.lent = self.lent_max = 0
        self.answer = asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["CountingReaders"]:
        self.lent += 1
        self.lent_max = max(self.lent_max, self.lent)
        try:
            yield self
        finally:
            self.lent -= 1

    async def fetch(self, *_: object, timeout: float) -> list[object]:
        await self.answer.wait()
        return []

    async def fetchval(self, *_: object, timeout: float) -> None:
        await self.answer.wait()


async def test_few_reads_of_the_past_run_at_once_and_the_others_do_not_wait_for_ever() -> None:
    readers, at_once = CountingReaders(), 3
    history = History(cast(Readers, readers), Turns(at_once, wait_s=0.05), deadline_ms=100)
    reads: list[Callable[[], Any]] = [
        lambda: history.trades_from(1, 1, 10, 5),
        lambda: history.trade_id_at(1, 5),
        lambda: history.candles(1, INTERVALS["1m"], [0], 0, MINUTE_MS),
        lambda: history.aggregates_until(1, 5, 5, 5),
    ]
    running = [asyncio.create_task(reads[number % len(reads)]()) for number in range(8 * at_once)]
    _, waiting = await asyncio.wait(running, timeout=5, return_when=asyncio.FIRST_EXCEPTION)
    readers.answer.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert any(isinstance(task.exception(), NoTurnError) for task in running)
    assert readers.lent_max == at_once
    assert readers.lent == 0
    # And a turn is free again.
    assert await history.trade_id_at(1, 5) is None


async def test_who_gets_no_turn_is_told_that_the_server_is_busy(offline: OfflineService) -> None:
    offline.state.views[1].candles.hours.known_from_ms = START_MS + HOUR_MS

    class Busy:
        async def candles(self, *_: object) -> None:
            raise NoTurnError

    for part in offline.service.endpoint_groups:
        if isinstance(part, klines.KlineEndpoints):
            vars(part)["_history"] = Busy()
    answer = await offline.get(f"/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime={START_MS}")
    assert (answer.status_code, answer.json()["code"]) == (503, -1008)
