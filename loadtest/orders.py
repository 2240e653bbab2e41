"""What the load consists of: orders around a fixed middle, some made to rest and some to trade.

Two kinds, so that the exchange has no reason to refuse anything. *Deep* orders rest 1 to 3 % away from the
middle, where nothing reaches them; they are what gets cancelled and looked up. *Near* orders buy at the
middle or up to 0.1 % above, and sell at it or as far below: any two of them meet. So each trades, at once or
with the next of the other side, and none is left to count against the 200 open orders of an account in a
market (MAX_NUM_ORDERS), which a run of minutes would reach.
"""

import random
from typing import Final, NamedTuple

__all__ = ["MARKETS", "Market", "OrderText", "deep_order", "near_order"]


class Market(NamedTuple):
    """Prices in ticks, quantities in lots; text is made by shifting the decimal point."""

    symbol: str
    middle_ticks: int
    price_decimals: int
    lots_min: int
    lots_max: int
    quantity_decimals: int


class OrderText(NamedTuple):
    """The part of an order's parameters that depends on chance."""

    symbol: str
    text: str


MARKETS: Final = (
    Market("BTCUSDT", 6_500_000, 2, 50, 500, 5),
    Market("ETHUSDT", 350_000, 2, 50, 500, 4),
    Market("ETHBTC", 5_384, 5, 50, 500, 3),
)
_PPM: Final = 1_000_000
_NEAR_PPM: Final = 1_000
_DEEP_PPM: Final = (10_000, 30_000)


def near_order(chance: random.Random) -> OrderText:
    """An order that meets one of the other side, or waits for the next one."""
    market = chance.choice(MARKETS)
    reach_ticks = max(2, market.middle_ticks * _NEAR_PPM // _PPM)
    if chance.random() < 0.5:
        return _order(market, "BUY", market.middle_ticks + chance.randint(0, reach_ticks), chance)
    return _order(market, "SELL", market.middle_ticks - chance.randint(0, reach_ticks), chance)


def deep_order(chance: random.Random) -> OrderText:
    """An order that nobody reaches."""
    market = chance.choice(MARKETS)
    away_ticks = market.middle_ticks * chance.randint(*_DEEP_PPM) // _PPM
    if chance.random() < 0.5:
        return _order(market, "BUY", market.middle_ticks - away_ticks, chance)
    return _order(market, "SELL", market.middle_ticks + away_ticks, chance)


def _order(market: Market, side: str, price_ticks: int, chance: random.Random) -> OrderText:
    price = shifted(price_ticks, market.price_decimals)
    quantity = shifted(chance.randint(market.lots_min, market.lots_max), market.quantity_decimals)
    text = (
        f"symbol={market.symbol}&side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}"
        # What a trading system that only wants to know "taken or not" asks for.
        "&newOrderRespType=RESULT"
    )
    return OrderText(market.symbol, text)


def shifted(value: int, decimals: int) -> str:
    """A whole number with its decimal point moved left."""
    digits = str(value).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"
