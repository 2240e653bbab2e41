"""Fees, as an operator orders them: from the words of the command line to commands of the engine. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from exchange.contracts.commands import Command
from exchange.contracts.fee_commands import SetMarketFees
from exchange.money import NumberError, format_fixed, parse_fixed
from services.operator.orders import OrderError, SetFees

__all__ = ["fees_line", "market_fees"]

_PPM_DECIMALS: Final = 6
_WHOLE_PPM: Final = 1_000_000


def market_fees(order: SetFees, market: Mapping[str, Any]) -> Callable[[int], Command]:
    """The command that changes the market's fees, by its id. Raises OrderError."""
    maker_ppm, taker_ppm = (
        _ppm(name, text) for name, text in (("maker", order.maker), ("taker", order.taker))
    )
    market_id = int(market["market_id"])
    return lambda command_id: SetMarketFees(command_id, market_id, maker_ppm, taker_ppm)


def fees_line(symbol: str, market: Mapping[str, Any]) -> str:
    """What a market takes, as `markets list` says it."""
    maker, taker = (
        format_fixed(int(market[f"{side}_fee_ppm"]), _PPM_DECIMALS) for side in ("maker", "taker")
    )
    return f"{symbol}: maker {maker}, taker {taker}"


def _ppm(name: str, text: str) -> int:
    """A part of one, as `0.001`, in millionths. Raises OrderError."""
    try:
        ppm = parse_fixed(text, _PPM_DECIMALS)
    except NumberError as error:
        raise OrderError(f"{text} is no {name} fee: {error}; write 0.001 for a thousandth") from None
    if not 0 <= ppm <= _WHOLE_PPM:
        raise OrderError(f"the {name} fee is a part of what is received: 0 to 1")
    return ppm
