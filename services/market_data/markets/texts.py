"""Texts that several answers of REST, or they and the messages of streams, have in common."""

from collections.abc import Iterable
from typing import Final

from exchange.contracts.codes import TRADING_MODE_NAMES
from exchange.trading.filters import AVERAGE_PRICE_MINUTES
from exchange.trading.intervals import HOUR_MS, MINUTE_MS
from exchange.trading.market import Market, rounded_ratio
from services.market_data.markets.book import Level
from services.market_data.markets.state import MarketView

__all__ = [
    "AVERAGE_PRICE_MINUTES",
    "average_price_text",
    "best_texts",
    "level_texts",
    "percent_text",
    "status_text",
]

_PERCENT_DECIMALS: Final = 3


def status_text(market: Market) -> str:
    """The public name of the market's trading mode."""
    return TRADING_MODE_NAMES[market.mode]


def level_texts(market: Market, levels: Iterable[Level]) -> list[tuple[str, str]]:
    """Levels as pairs of price and quantity text."""
    price, quantity = market.price, market.quantity
    return [(price(ticks), quantity(lots)) for ticks, lots in levels]


def best_texts(view: MarketView) -> tuple[str, str, str, str]:
    """Bid price, bid quantity, ask price, ask quantity; zeros for an empty side."""
    bid, ask = view.best()
    market = view.market
    bid_ticks, bid_lots = bid or (0, 0)
    ask_ticks, ask_lots = ask or (0, 0)
    return (
        market.price(bid_ticks),
        market.quantity(bid_lots),
        market.price(ask_ticks),
        market.quantity(ask_lots),
    )


def percent_text(open_ticks: int, last_ticks: int) -> str:
    """Change in percent with three decimals; zero without a beginning."""
    unit = 10**_PERCENT_DECIMALS
    value = rounded_ratio((last_ticks - open_ticks) * 100 * unit, open_ticks) if open_ticks else 0
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(value) // unit}.{abs(value) % unit:03d}"


def average_price_text(view: MarketView, now_ms: int) -> str:
    """Average price: volume-weighted over AVERAGE_PRICE_MINUTES, else the last price, else zero.

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
