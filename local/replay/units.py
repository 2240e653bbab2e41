"""Recorded prices and quantities in a market's own units. Pure."""

from typing import Final

from exchange.contracts.events import MarketRegistered
from exchange.money import NumberError, parse_fixed
from local.replay.messages import Message
from local.replay.prints import FileError, Print

__all__ = ["ticks_and_lots"]

# Recorded prices and quantities have so many.
_DECIMALS: Final = 8


def ticks_and_lots(
    one: Print | Message, rules: MarketRegistered, base_unit_atoms: int, quote_decimals: int
) -> tuple[int, int]:
    """The nearest price in ticks, at least 1, and the whole lots in its quantity, perhaps none.

    `base_unit_atoms`: of one whole base unit. Raises FileError for what is no number.
    """
    try:
        price = parse_fixed(one.price, _DECIMALS) * 10**quote_decimals
        wanted = parse_fixed(one.quantity, _DECIMALS) * base_unit_atoms
    except NumberError as error:
        raise FileError(f"{one.symbol} at {one.time_ms}: {one.quantity} for {one.price}: {error}") from None
    tick, lot = rules.tick_atoms * 10**_DECIMALS, rules.lot_atoms * 10**_DECIMALS
    return max(1, (price + tick // 2) // tick), wanted // lot
