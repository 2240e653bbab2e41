"""/ticker/24hr, /ticker/price, /ticker/bookTicker, /ticker, /ticker/tradingDay (binance-spot-api 2.3)."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from exchange.contracts.errors import ApiError, invalid_data
from exchange.trading.intervals import DAY_MS, HOUR_MS, INTERVALS, parse_window_ms
from exchange.trading.market import Market
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import best_texts, percent_text, status_text
from services.market_data.markets.windows import Statistics, statistics, window_start_ms
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import (
    choice,
    demand_status,
    optional_views,
    status_filter,
    zone_offset_ms,
)

__all__ = ["TickerEndpoints"]

_TYPES: Final = frozenset({"FULL", "MINI"})
_SYMBOLS_MAX: Final = 100
_WINDOW_DEFAULT: Final = "1d"
_FUTURE_MS: Final = 2**62
_NO_SYMBOL: Final = "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"


class TickerEndpoints:
    """What was traded in a window of time, and the best prices. `clock_us`: microseconds since 1970."""

    def __init__(self, markets: MarketFollower, clock_us: Callable[[], int]) -> None:
        self._markets = markets
        self._clock_us = clock_us

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        some = "symbol symbols symbolStatus"
        return [
            Endpoint("/api/v3/ticker/24hr", f"{some} type", self._day),
            Endpoint("/api/v3/ticker/price", some, self._price),
            Endpoint("/api/v3/ticker/bookTicker", some, self._book),
            Endpoint("/api/v3/ticker", f"{some} windowSize type", self._rolling),
            Endpoint("/api/v3/ticker/tradingDay", f"{some} timeZone type", self._trading_day),
        ]

    def _chosen(self, call: Call) -> tuple[Sequence[MarketView], bool]:
        """The markets asked for, all when none is named; whether one object is wanted, not an array."""
        state = self._markets.current()
        view, views = optional_views(state, call.parameters)
        status = status_filter(call.parameters)
        if view is not None:
            demand_status(view.market, status)
            return [view], True
        chosen = list(state.views.values()) if views is None else views
        if status is not None:
            chosen = [one for one in chosen if status_text(one.market) == status]
        return chosen, False

    def _named(self, call: Call) -> tuple[Sequence[MarketView], bool]:
        """As `_chosen`, for endpoints that want symbols to be named. Raises -1102."""
        if not call.parameters.get("symbol") and not call.parameters.get("symbols"):
            raise ApiError(-1102, _NO_SYMBOL)
        views, is_single = self._chosen(call)
        if len(views) > _SYMBOLS_MAX:
            raise invalid_data("symbols")
        return views, is_single

    def _day(self, call: Call) -> object:
        views, is_single = self._chosen(call)
        is_mini = _is_mini(call)
        now_ms = self._clock_us() // 1000
        rows = [_day_row(view, now_ms, is_mini, call.scale) for view in views]
        return rows[0] if is_single else rows

    def _price(self, call: Call) -> object:
        views, is_single = self._chosen(call)
        rows = [{"symbol": view.market.symbol, "price": _last_price(view)} for view in views]
        return rows[0] if is_single else rows

    def _book(self, call: Call) -> object:
        views, is_single = self._chosen(call)
        rows = [_book_row(view) for view in views]
        return rows[0] if is_single else rows

    def _rolling(self, call: Call) -> object:
        length_ms = parse_window_ms(call.parameters.get("windowSize", _WINDOW_DEFAULT))
        if length_ms is None:
            raise invalid_data("windowSize")
        views, is_single = self._named(call)
        is_mini = _is_mini(call)
        now_ms = self._clock_us() // 1000
        open_ms = window_start_ms(now_ms, length_ms)
        rows = [
            _window_row(view.market, _since(view, open_ms), open_ms, now_ms, is_mini, call.scale)
            for view in views
        ]
        return rows[0] if is_single else rows

    def _trading_day(self, call: Call) -> object:
        day = INTERVALS["1d"].in_zone(zone_offset_ms(call.parameters))
        views, is_single = self._named(call)
        is_mini = _is_mini(call)
        open_ms = day.start_of(self._clock_us() // 1000)
        close_ms = open_ms + DAY_MS - 1
        rows = [
            # The last moment of the day in the unit that is asked for, as of a kline.
            _window_row(view.market, _since(view, open_ms), open_ms, close_ms, is_mini, call.scale)
            | {"closeTime": (close_ms + 1) * call.scale - 1}
            for view in views
        ]
        return rows[0] if is_single else rows


def _is_mini(call: Call) -> bool:
    return choice(call.parameters, "type", _TYPES, -1139, "Invalid ticker type.") == "MINI"


def _since(view: MarketView, open_ms: int) -> Statistics:
    """Statistics from a whole minute on: minutes up to the next whole hour, then hours."""
    minutes, hours = view.candles.minutes, view.candles.hours
    hour_ms = -(-open_ms // HOUR_MS) * HOUR_MS
    rows = chain(minutes.between(open_ms, hour_ms), hours.between(hour_ms, _FUTURE_MS))
    return statistics(rows, view.candles.price_before(open_ms))


def _last_price(view: MarketView) -> str:
    last = view.last_trade
    return view.market.price(last.price_ticks if last else 0)


def _book_row(view: MarketView) -> dict[str, str]:
    bid, bid_quantity, ask, ask_quantity = best_texts(view)
    return {
        "symbol": view.market.symbol,
        "bidPrice": bid,
        "bidQty": bid_quantity,
        "askPrice": ask,
        "askQty": ask_quantity,
    }


def _change(market: Market, stats: Statistics) -> dict[str, object]:
    change_ticks = stats.last_ticks - stats.open_ticks
    return {
        "priceChange": market.quote_amount(change_ticks * market.rules.tick_atoms),
        "priceChangePercent": percent_text(stats.open_ticks, stats.last_ticks),
        "weightedAvgPrice": market.average_price(stats.quote_atoms, stats.quantity_lots),
    }


def _ending(market: Market, stats: Statistics, open_ms: int, close_ms: int, scale: int) -> dict[str, object]:
    return {
        "volume": market.quantity(stats.quantity_lots),
        "quoteVolume": market.quote_amount(stats.quote_atoms),
        "openTime": open_ms * scale,
        "closeTime": close_ms * scale,
        "firstId": stats.first_id,
        "lastId": stats.last_id,
        "count": stats.trade_count,
    }


def _prices(market: Market, stats: Statistics) -> dict[str, object]:
    return {
        "openPrice": market.price(stats.open_ticks),
        "highPrice": market.price(stats.high_ticks),
        "lowPrice": market.price(stats.low_ticks),
        "lastPrice": market.price(stats.last_ticks),
    }


def _window_row(
    market: Market, stats: Statistics, open_ms: int, close_ms: int, is_mini: bool, scale: int
) -> dict[str, object]:
    return {
        "symbol": market.symbol,
        **({} if is_mini else _change(market, stats)),
        **_prices(market, stats),
        **_ending(market, stats, open_ms, close_ms, scale),
    }


def _day_row(view: MarketView, now_ms: int, is_mini: bool, scale: int) -> dict[str, object]:
    market = view.market
    window = view.windows["1d"]
    window.advance(now_ms)
    stats = window.statistics()
    open_ms = now_ms - DAY_MS
    if is_mini:
        return _window_row(market, stats, open_ms, now_ms, is_mini, scale)
    bid, bid_quantity, ask, ask_quantity = best_texts(view)
    last = view.last_trade
    return {
        "symbol": market.symbol,
        **_change(market, stats),
        "prevClosePrice": market.price(stats.previous_close_ticks),
        "lastPrice": market.price(stats.last_ticks),
        "lastQty": market.quantity(last.quantity_lots if last else 0),
        "bidPrice": bid,
        "bidQty": bid_quantity,
        "askPrice": ask,
        "askQty": ask_quantity,
        "openPrice": market.price(stats.open_ticks),
        "highPrice": market.price(stats.high_ticks),
        "lowPrice": market.price(stats.low_ticks),
        **_ending(market, stats, open_ms, now_ms, scale),
    }
