"""Stream messages as Binance writes them (binance-spot-api, section 4). Keys and their order are literal.

`scale`: 1 for times in milliseconds, 1000 for microseconds. `now_us`: the service's clock, for E.
"""

import orjson

from exchange.trading.candles import Candle
from exchange.trading.intervals import Interval
from exchange.trading.market import Market
from exchange.trading.trades import AggregateTrade, Trade
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import best_texts, level_texts, percent_text
from services.market_data.markets.windows import Statistics

__all__ = [
    "aggregate_trade_message",
    "average_price_message",
    "book_ticker_message",
    "depth_message",
    "kline_message",
    "mini_ticker",
    "partial_depth_message",
    "reference_price_message",
    "ticker",
    "trade_message",
    "window_ticker",
]


def _event_time(now_us: int, scale: int) -> int:
    return now_us * scale // 1000


def trade_message(market: Market, trade: Trade, now_us: int, scale: int) -> bytes:
    """`<symbol>@trade`."""
    return orjson.dumps(
        {
            "e": "trade",
            "E": _event_time(now_us, scale),
            "s": market.symbol,
            "t": trade.id,
            "p": market.price(trade.price_ticks),
            "q": market.quantity(trade.quantity_lots),
            "T": trade.time_ms * scale,
            "m": trade.buyer_is_maker,
            "M": True,
        }
    )


def aggregate_trade_message(market: Market, trade: AggregateTrade, now_us: int, scale: int) -> bytes:
    """`<symbol>@aggTrade`."""
    return orjson.dumps(
        {
            "e": "aggTrade",
            "E": _event_time(now_us, scale),
            "s": market.symbol,
            "a": trade.id,
            "p": market.price(trade.price_ticks),
            "q": market.quantity(trade.quantity_lots),
            "f": trade.id,
            "l": trade.last_id,
            "T": trade.time_ms * scale,
            "m": trade.buyer_is_maker,
            "M": True,
        }
    )


def depth_message(
    market: Market,
    first_seq: int,
    last_seq: int,
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    now_us: int,
    scale: int,
) -> bytes:
    """`<symbol>@depth`: absolute quantities, zero where a level is gone."""
    return orjson.dumps(
        {
            "e": "depthUpdate",
            "E": _event_time(now_us, scale),
            "s": market.symbol,
            "U": first_seq,
            "u": last_seq,
            "b": bids,
            "a": asks,
        }
    )


def partial_depth_message(view: MarketView, seq: int, levels: int, _scale: int) -> bytes:
    """`<symbol>@depth5` and its like: the best levels, no times, no symbol."""
    return orjson.dumps(
        {
            "lastUpdateId": seq,
            "bids": level_texts(view.market, view.book.bids.top(levels)),
            "asks": level_texts(view.market, view.book.asks.top(levels)),
        }
    )


def book_ticker_message(view: MarketView, seq: int, _scale: int) -> bytes:
    """`<symbol>@bookTicker`: no event type, no time."""
    bid, bid_quantity, ask, ask_quantity = best_texts(view)
    return orjson.dumps(
        {
            "u": seq,
            "s": view.market.symbol,
            "b": bid,
            "B": bid_quantity,
            "a": ask,
            "A": ask_quantity,
        }
    )


def mini_ticker(market: Market, stats: Statistics, now_us: int, scale: int) -> dict[str, object]:
    """`<symbol>@miniTicker`, also an element of `!miniTicker@arr`."""
    return {
        "e": "24hrMiniTicker",
        "E": _event_time(now_us, scale),
        "s": market.symbol,
        "c": market.price(stats.last_ticks),
        "o": market.price(stats.open_ticks),
        "h": market.price(stats.high_ticks),
        "l": market.price(stats.low_ticks),
        "v": market.quantity(stats.quantity_lots),
        "q": market.quote_amount(stats.quote_atoms),
    }


def ticker(
    view: MarketView, stats: Statistics, open_ms: int, close_ms: int, now_us: int, scale: int
) -> dict[str, object]:
    """`<symbol>@ticker`, also an element of `!ticker@arr`."""
    market = view.market
    bid, bid_quantity, ask, ask_quantity = best_texts(view)
    last = view.last_trade
    return {
        "e": "24hrTicker",
        "E": _event_time(now_us, scale),
        "s": market.symbol,
        "p": market.quote_amount((stats.last_ticks - stats.open_ticks) * market.rules.tick_atoms),
        "P": percent_text(stats.open_ticks, stats.last_ticks),
        "w": market.average_price(stats.quote_atoms, stats.quantity_lots),
        "x": market.price(stats.previous_close_ticks),
        "c": market.price(stats.last_ticks),
        "Q": market.quantity(last.quantity_lots if last else 0),
        "b": bid,
        "B": bid_quantity,
        "a": ask,
        "A": ask_quantity,
        "o": market.price(stats.open_ticks),
        "h": market.price(stats.high_ticks),
        "l": market.price(stats.low_ticks),
        "v": market.quantity(stats.quantity_lots),
        "q": market.quote_amount(stats.quote_atoms),
        "O": open_ms * scale,
        "C": close_ms * scale,
        "F": stats.first_id,
        "L": stats.last_id,
        "n": stats.trade_count,
    }


def window_ticker(
    market: Market,
    window: str,
    stats: Statistics,
    open_ms: int,
    close_ms: int,
    now_us: int,
    scale: int,
) -> dict[str, object]:
    """`<symbol>@ticker_1h` and its like, also an element of `!ticker_1h@arr`."""
    return {
        "e": f"{window}Ticker",
        "E": _event_time(now_us, scale),
        "s": market.symbol,
        "p": market.quote_amount((stats.last_ticks - stats.open_ticks) * market.rules.tick_atoms),
        "P": percent_text(stats.open_ticks, stats.last_ticks),
        "o": market.price(stats.open_ticks),
        "h": market.price(stats.high_ticks),
        "l": market.price(stats.low_ticks),
        "c": market.price(stats.last_ticks),
        "w": market.average_price(stats.quote_atoms, stats.quantity_lots),
        "v": market.quantity(stats.quantity_lots),
        "q": market.quote_amount(stats.quote_atoms),
        "O": open_ms * scale,
        "C": close_ms * scale,
        "F": stats.first_id,
        "L": stats.last_id,
        "n": stats.trade_count,
    }


def kline_message(
    market: Market, interval: Interval, candle: Candle, closed: bool, now_us: int, scale: int
) -> bytes:
    """`<symbol>@kline_<interval>`."""
    end_ms = interval.moved(candle.open_ms, 1)
    return orjson.dumps(
        {
            "e": "kline",
            "E": _event_time(now_us, scale),
            "s": market.symbol,
            "k": {
                "t": candle.open_ms * scale,
                "T": end_ms * scale - 1,
                "s": market.symbol,
                "i": interval.name,
                "f": candle.first_id,
                "L": candle.last_id,
                "o": market.price(candle.open_ticks),
                "c": market.price(candle.close_ticks),
                "h": market.price(candle.high_ticks),
                "l": market.price(candle.low_ticks),
                "v": market.quantity(candle.quantity_lots),
                "n": candle.count,
                "x": closed,
                "q": market.quote_amount(candle.quote_atoms),
                "V": market.quantity(candle.taker_lots),
                "Q": market.quote_amount(candle.taker_quote_atoms),
                "B": "0",
            },
        }
    )


def reference_price_message(market: Market, time_ms: int, scale: int) -> bytes:
    """`<symbol>@referencePrice`, of a market that has none."""
    return orjson.dumps({"e": "referencePrice", "s": market.symbol, "r": None, "t": time_ms * scale})


def average_price_message(
    market: Market, minutes: int, price: str, last_trade_ms: int, now_us: int, scale: int
) -> bytes:
    """`<symbol>@avgPrice`."""
    return orjson.dumps(
        {
            "e": "avgPrice",
            "E": _event_time(now_us, scale),
            "s": market.symbol,
            "i": f"{minutes}m",
            "w": price,
            "T": last_trade_ms * scale,
        }
    )
