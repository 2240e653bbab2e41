"""/depth, /trades, /historicalTrades, /aggTrades, /klines, /uiKlines, /avgPrice (binance-spot-api 2.3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import orjson

from exchange.contracts.errors import ApiError, bad_combination, invalid_data
from exchange.http.query_parameters import integer, time_ms
from exchange.trading.candles import Candle, buckets, fill
from exchange.trading.intervals import Interval
from exchange.trading.market import Market
from exchange.trading.trades import AggregateTrade, Trade
from services.market_data.markets.average_price import AVERAGE_PRICE_MINUTES, average_price_text
from services.market_data.markets.history import History, HistoryTooLongError
from services.market_data.markets.payloads import level_texts
from services.market_data.markets.state import MarketState, MarketView
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.exchange_info import market_status
from services.market_data.rest.parameters import (
    STATUS_MISMATCH,
    interval,
    limit,
    one_view,
    status_filter,
)

__all__ = ["TradingEndpoints"]

_DEPTH_DEFAULT: Final = 100
_DEPTH_MAX: Final = 5_000
_DEPTH_WEIGHTS: Final = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))
_ITEMS_DEFAULT: Final = 500
_ITEMS_MAX: Final = 1_000
_DEPTHS_KEPT_MAX: Final = 256
_FUTURE_MS: Final = 2**62


class TradingEndpoints:
    """`state` gives the state of the moment; `clock_us` is the service's clock."""

    def __init__(
        self, state: Callable[[], MarketState], history: History, clock_us: Callable[[], int]
    ) -> None:
        self._state = state
        self._history = history
        self._clock_us = clock_us
        # (symbol, limit) -> (book, version, levels as JSON): a book is asked for more often than it changes.
        self._depths: dict[tuple[str, int], tuple[object, int, bytes]] = {}

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        klines = "symbol interval startTime endTime timeZone limit"
        return [
            Endpoint("/api/v3/depth", "symbol limit symbolStatus", 5, self._depth),
            Endpoint("/api/v3/trades", "symbol limit", 25, self._trades),
            Endpoint("/api/v3/historicalTrades", "symbol limit fromId", 25, self._historical_trades),
            Endpoint("/api/v3/aggTrades", "symbol fromId startTime endTime limit", 4, self._aggregates),
            Endpoint("/api/v3/klines", klines, 2, self._klines),
            Endpoint("/api/v3/uiKlines", klines, 2, self._klines),
            Endpoint("/api/v3/avgPrice", "symbol", 2, self._average_price),
        ]

    def _depth(self, call: Call) -> object:
        state = self._state()
        count = limit(call.parameters, _DEPTH_DEFAULT, _DEPTH_MAX)
        call.weight = next(weight for most, weight in _DEPTH_WEIGHTS if count <= most)
        view = one_view(state, call.parameters)
        status = status_filter(call.parameters)
        if status is not None and market_status(view.market) != status:
            raise ApiError(-1220, STATUS_MISMATCH)
        return b'{"lastUpdateId":%d,%b' % (state.seq, self._levels(view, count))

    def _levels(self, view: MarketView, count: int) -> bytes:
        key = (view.market.symbol, count)
        kept = self._depths.get(key)
        book = view.book
        if kept is not None and kept[0] is book and kept[1] == book.version:
            return kept[2]
        levels = orjson.dumps(
            {
                "bids": level_texts(view.market, book.bids.top(count)),
                "asks": level_texts(view.market, book.asks.top(count)),
            }
        )[1:]
        if len(self._depths) >= _DEPTHS_KEPT_MAX:
            self._depths.clear()
        self._depths[key] = (book, book.version, levels)
        return levels

    def _trades(self, call: Call) -> object:
        view = one_view(self._state(), call.parameters)
        count = limit(call.parameters, _ITEMS_DEFAULT, _ITEMS_MAX)
        return _trade_rows(view.market, view.trades.newest(count), call.scale)

    async def _historical_trades(self, call: Call) -> object:
        view = one_view(self._state(), call.parameters)
        count = limit(call.parameters, _ITEMS_DEFAULT, _ITEMS_MAX)
        first_id = integer(call.parameters, "fromId")
        ring = view.trades
        if first_id is None:
            return _trade_rows(view.market, ring.newest(count), call.scale)
        found: list[Trade] = []
        if first_id < ring.floor_id:
            found = await self._history.trades_from(view.market.market_id, first_id, ring.floor_id, count)
        found += ring.from_id(max(first_id, ring.floor_id), count - len(found))
        return _trade_rows(view.market, found, call.scale)

    async def _aggregates(self, call: Call) -> object:
        parameters = call.parameters
        view = one_view(self._state(), parameters)
        count = limit(parameters, _ITEMS_DEFAULT, _ITEMS_MAX)
        first_id = integer(parameters, "fromId")
        start_ms, end_ms = time_ms(parameters, "startTime"), time_ms(parameters, "endTime")
        if first_id is not None:
            if start_ms is not None or end_ms is not None:
                raise bad_combination()
            found = await self._aggregates_from(view, first_id, count)
        elif start_ms is not None:
            found = await self._aggregates_between(view, start_ms, end_ms, count)
        elif end_ms is not None:
            found = await self._aggregates_until(view, end_ms, count)
        else:
            found = view.aggregates.newest(count)
        return _aggregate_rows(view.market, found, call.scale)

    async def _aggregates_from(self, view: MarketView, first_id: int, count: int) -> Sequence[AggregateTrade]:
        ring = view.aggregates
        floor_id = ring.floor_id
        found: list[AggregateTrade] = []
        if first_id < floor_id:
            found = await self._history.aggregates_from(view.market.market_id, first_id, floor_id, count)
        return [*found, *ring.from_id(max(first_id, floor_id), count - len(found))]

    async def _aggregates_between(
        self, view: MarketView, start_ms: int, end_ms: int | None, count: int
    ) -> Sequence[AggregateTrade]:
        last_ms = _FUTURE_MS if end_ms is None else end_ms
        if view.aggregates.holds_time(start_ms):
            return view.aggregates.between(start_ms, last_ms, count)
        first_id = await self._history.trade_id_at(view.market.market_id, start_ms)
        if first_id is None:
            return view.aggregates.between(start_ms, last_ms, count)
        found = await self._aggregates_from(view, first_id, count)
        return [one for one in found if one.time_ms <= last_ms]

    async def _aggregates_until(self, view: MarketView, end_ms: int, count: int) -> Sequence[AggregateTrade]:
        ring = view.aggregates
        floor_id = ring.floor_id
        found = ring.until(end_ms, count)
        if len(found) == count or floor_id == 1:
            return found
        older = await self._history.aggregates_until(
            view.market.market_id, end_ms, floor_id, count - len(found)
        )
        return [*older, *found]

    async def _klines(self, call: Call) -> object:
        parameters = call.parameters
        view = one_view(self._state(), parameters)
        asked = interval(parameters)
        openings = buckets(
            asked,
            first_trade_ms=view.candles.first_trade_ms,
            now_ms=self._clock_us() // 1000,
            start_ms=time_ms(parameters, "startTime"),
            end_ms=time_ms(parameters, "endTime"),
            limit=limit(parameters, _ITEMS_DEFAULT, _ITEMS_MAX),
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
        view = one_view(self._state(), call.parameters)
        last = view.last_trade
        return {
            "mins": AVERAGE_PRICE_MINUTES,
            "price": average_price_text(view, self._clock_us() // 1000),
            "closeTime": last.time_ms * call.scale if last else 0,
        }


def _trade_rows(market: Market, trades: Iterable[Trade], scale: int) -> object:
    return [
        {
            "id": trade.id,
            "price": market.price(trade.price_ticks),
            "qty": market.quantity(trade.quantity_lots),
            "quoteQty": market.quote_amount(trade.quote_atoms),
            "time": trade.time_ms * scale,
            "isBuyerMaker": trade.buyer_is_maker,
            "isBestMatch": True,
        }
        for trade in trades
    ]


def _aggregate_rows(market: Market, trades: Iterable[AggregateTrade], scale: int) -> object:
    return [
        {
            "a": trade.id,
            "p": market.price(trade.price_ticks),
            "q": market.quantity(trade.quantity_lots),
            "f": trade.id,
            "l": trade.last_id,
            "T": trade.time_ms * scale,
            "m": trade.buyer_is_maker,
            "M": True,
        }
        for trade in trades
    ]


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
