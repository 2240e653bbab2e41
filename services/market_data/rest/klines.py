"""/klines, /uiKlines, /avgPrice (binance-spot-api 2.3): what candles tell."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from exchange.contracts.errors import invalid_data
from exchange.http.query_parameters import time_ms
from exchange.trading.candles import Candle, buckets, fill
from exchange.trading.intervals import Interval
from exchange.trading.market import Market
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.history import History, HistoryTooLongError
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import AVERAGE_PRICE_MINUTES, average_price_text
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import interval, limit, one_view

__all__ = ["KlineEndpoints"]

_KLINES_DEFAULT: Final = 500
_KLINES_MAX: Final = 1_000


class KlineEndpoints:
    """One market's candles, from memory and before that from history. `clock_us`: the service's clock."""

    def __init__(self, markets: MarketFollower, history: History, clock_us: Callable[[], int]) -> None:
        self._markets = markets
        self._history = history
        self._clock_us = clock_us

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
        rows, price_before = await self._rows(view, asked, openings)
        candles = fill(rows, asked, openings, price_before)
        return _kline_rows(view.market, asked, candles, call.scale)

    async def _rows(
        self, view: MarketView, asked: Interval, openings: Sequence[int]
    ) -> tuple[Iterable[Candle], int | None]:
        """Candles for the openings, from memory and, before that, from PostgreSQL; the price before them."""
        series = view.candles.base(asked)
        from_ms, to_ms = openings[0], asked.moved(openings[-1], 1)
        known_ms = series.known_from_ms
        newer = series.between(max(from_ms, known_ms), to_ms)
        earlier = series.last_before(from_ms)
        if from_ms >= known_ms and (earlier is not None or known_ms == 0):
            return newer, earlier.close_ticks if earlier else None
        market_id = view.market.market_id
        older: list[Candle] = []
        if from_ms < known_ms:
            try:
                older = await self._history.candles(market_id, series.step_ms, from_ms, min(to_ms, known_ms))
            except HistoryTooLongError:
                raise invalid_data("startTime") from None
        return [*older, *newer], await self._history.price_before(market_id, from_ms)

    def _average_price(self, call: Call) -> object:
        view = one_view(self._markets.current(), call.parameters)
        last = view.last_trade
        return {
            "mins": AVERAGE_PRICE_MINUTES,
            "price": average_price_text(view, self._clock_us() // 1000),
            "closeTime": last.time_ms * call.scale if last else 0,
        }


def _kline_rows(market: Market, asked: Interval, candles: Iterable[Candle], scale: int) -> object:
    return [
        (
            candle.open_ms * scale,
            market.price(candle.open_ticks),
            market.price(candle.high_ticks),
            market.price(candle.low_ticks),
            market.price(candle.close_ticks),
            market.quantity(candle.quantity_lots),
            asked.moved(candle.open_ms, 1) * scale - 1,
            market.quote_amount(candle.quote_atoms),
            candle.count,
            market.quantity(candle.taker_lots),
            market.quote_amount(candle.taker_quote_atoms),
            "0",
        )
        for candle in candles
    ]
