"""Candles and trades as the public API shows them: rows for a JSON encoder (binance-spot-api 2.3). Pure."""

from collections.abc import Iterable

from exchange.trading.candles import Candle
from exchange.trading.intervals import Interval
from exchange.trading.market import Market
from exchange.trading.trades import Trade

__all__ = ["kline_rows", "trade_rows"]


def kline_rows(market: Market, interval: Interval, candles: Iterable[Candle], scale: int = 1) -> list[object]:
    """A candle a row. `scale`: 1 for times in milliseconds, 1000 for microseconds."""
    return [
        (
            candle.open_ms * scale,
            market.price(candle.open_ticks),
            market.price(candle.high_ticks),
            market.price(candle.low_ticks),
            market.price(candle.close_ticks),
            market.quantity(candle.quantity_lots),
            interval.moved(candle.open_ms, 1) * scale - 1,
            market.quote_amount(candle.quote_atoms),
            candle.count,
            market.quantity(candle.taker_lots),
            market.quote_amount(candle.taker_quote_atoms),
            "0",
        )
        for candle in candles
    ]


def trade_rows(market: Market, trades: Iterable[Trade], scale: int = 1) -> list[object]:
    """A trade a row; `scale` as above."""
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
