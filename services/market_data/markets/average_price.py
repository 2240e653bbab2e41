"""The average price of the last minutes, for /avgPrice and `<symbol>@avgPrice`."""

from typing import Final

from exchange.trading.intervals import HOUR_MS, MINUTE_MS
from services.market_data.markets.state import MarketView

__all__ = ["AVERAGE_PRICE_MINUTES", "average_price_text"]

AVERAGE_PRICE_MINUTES: Final = 5


def average_price_text(view: MarketView, now_ms: int) -> str:
    """Volume-weighted over AVERAGE_PRICE_MINUTES, else the last price, else zero.

    Counted in whole minutes with the current one, exactly as the engine's filters count.
    """
    minute_ms = now_ms - now_ms % MINUTE_MS
    since_ms = minute_ms - (AVERAGE_PRICE_MINUTES - 1) * MINUTE_MS
    quantity_lots = quote_atoms = 0
    for candle in view.candles.minutes.between(since_ms, minute_ms + HOUR_MS):
        quantity_lots += candle.quantity_lots
        quote_atoms += candle.quote_atoms
    if quantity_lots:
        return view.market.average_price(quote_atoms, quantity_lots)
    last = view.last_trade
    return view.market.price(last.price_ticks if last else 0)
