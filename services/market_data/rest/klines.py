"""/klines, /uiKlines, /avgPrice (binance-spot-api 2.3): what candles tell."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

from exchange.contracts import limits
from exchange.http.query_parameters import time_ms
from exchange.trading.candles import Candle, buckets, fill, rows_per_bucket
from exchange.trading.intervals import Interval
from exchange.trading.shown import kline_rows
from services.market_data.markets.bucket_cache import BucketCache
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.history import History
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import AVERAGE_PRICE_MINUTES, average_price_text
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import interval, limit, one_view

__all__ = ["KlineEndpoints"]

_KLINES_DEFAULT: Final = 500
_KLINES_MAX: Final = limits.PAGE_ROWS_MAX
# About a millisecond of the event loop.
_ROWS_PER_TURN: Final = 1_500
_ROWS_TO_CACHE_MIN: Final = 12


class KlineEndpoints:
    """One market's candles, from memory and before that from history. `clock_us`: the service's clock."""

    def __init__(self, markets: MarketFollower, history: History, clock_us: Callable[[], int]) -> None:
        self._markets = markets
        self._history = history
        self._clock_us = clock_us
        self._cache = BucketCache()

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        names = "symbol interval startTime endTime timeZone limit"
        return [
            Endpoint("/api/v3/klines", names, self._klines),
            Endpoint("/api/v3/uiKlines", names, self._klines),
            Endpoint("/api/v3/avgPrice", "symbol", self._average_price),
        ]

    async def _klines(self, call: Call) -> object:
        parameters = call.parameters
        view = one_view(self._markets.current(), parameters)
        asked = interval(parameters)
        openings = buckets(
            asked,
            first_trade_ms=view.candles.first_trade_ms,
            now_ms=self._clock_us() // 1000,
            start_ms=time_ms(parameters, "startTime"),
            end_ms=time_ms(parameters, "endTime"),
            limit=limit(parameters, _KLINES_DEFAULT, _KLINES_MAX),
        )
        if not openings:
            return b"[]"
        candles = await self._candles(view, asked, openings)
        return kline_rows(view.market, asked, candles, call.scale)

    async def _candles(self, view: MarketView, asked: Interval, openings: list[int]) -> list[Candle]:
        """One candle for each opening. Those of many rows are kept once their time is over."""
        if rows_per_bucket(asked) < _ROWS_TO_CACHE_MIN:
            return await self._made(view, asked, openings)
        # Times of events never go back: nothing is traded before this moment any more.
        over_ms = self._markets.current().time_ms
        market_id = view.market.market_id
        kept = self._cache.of(market_id, asked)
        missing = [place for place, opening in enumerate(openings) if opening not in kept]
        if not missing:
            return [kept[opening] for opening in openings]
        first, last = missing[0], missing[-1] + 1
        before = [kept[opening] for opening in openings[:first]]
        behind = [kept[opening] for opening in openings[last:]]
        made = await self._made(view, asked, openings[first:last])
        closed = [candle for candle in made if asked.moved(candle.open_ms, 1) <= over_ms]
        self._cache.keep(market_id, asked, closed)
        return [*before, *made, *behind]

    async def _made(self, view: MarketView, asked: Interval, openings: list[int]) -> list[Candle]:
        """Put candles together, with pauses in which the streams have their turn."""
        rows, price_ticks = await self._rows(view, asked, openings)
        made: list[Candle] = []
        step = max(1, _ROWS_PER_TURN // rows_per_bucket(asked))
        for first in range(0, len(openings), step):
            part = openings[first : first + step]
            begin = bisect_left(rows, part[0], key=_open_ms)
            end = bisect_left(rows, asked.moved(part[-1], 1), key=_open_ms)
            made += fill(rows[begin:end], asked, part, made[-1].close_ticks if made else price_ticks)
            if first + step < len(openings):
                await asyncio.sleep(0)
        return made

    async def _rows(
        self, view: MarketView, asked: Interval, openings: Sequence[int]
    ) -> tuple[Sequence[Candle], int | None]:
        """Candles for the openings, from memory and, before that, from PostgreSQL; the price before them."""
        series = view.candles.base(asked)
        from_ms, to_ms = openings[0], asked.moved(openings[-1], 1)
        known_ms = series.known_from_ms
        newer = series.between(max(from_ms, known_ms), to_ms)
        earlier = series.last_before(from_ms)
        if from_ms >= known_ms and (earlier is not None or known_ms == 0):
            return newer, earlier.close_ticks if earlier else None
        # A bucket in which memory begins is joined of both.
        older, price = await self._history.candles(
            view.market.market_id,
            asked,
            openings[: bisect_left(openings, known_ms)],
            from_ms,
            min(to_ms, known_ms),
        )
        return [*older, *newer], price

    def _average_price(self, call: Call) -> object:
        view = one_view(self._markets.current(), call.parameters)
        last = view.last_trade
        return {
            "mins": AVERAGE_PRICE_MINUTES,
            "price": average_price_text(view, self._clock_us() // 1000),
            "closeTime": last.time_ms * call.scale if last else 0,
        }


def _open_ms(candle: Candle) -> int:
    return candle.open_ms
