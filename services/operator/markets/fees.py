"""Fees, as an operator orders them: from the words of the command line to commands of the engine. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from exchange.contracts.commands import Command
from exchange.contracts.fee_commands import SetAccountTier, SetFeeDiscount, SetFeeTier, SetMarketFees
from exchange.money import NumberError, parse_fixed
from exchange.trading.markets_file import KnownMarkets
from services.operator.markets.orders import NO_ASSET, SetDiscount, SetFees, SetTier
from services.operator.markets.tiers import Change
from services.operator.tagged import OrderError

__all__ = ["account_tier", "command_of", "market_in"]

_PPM_DECIMALS: Final = 6
_WHOLE_PPM: Final = 1_000_000
Make = Callable[[int], Command]


def command_of(order: SetFees | SetTier | SetDiscount, known: KnownMarkets) -> tuple[Make, str]:
    """The command that carries an order out, by its id, and what is said of it. Raises OrderError."""
    match order:
        case SetFees(symbol, maker, taker):
            rates = _ppm("maker fee", maker), _ppm("taker fee", taker)
            market_id = int(market_in(known, symbol)["market_id"])
            return lambda number: SetMarketFees(number, market_id, *rates), f"{symbol}: {maker}, {taker}"
        case SetTier(tier, asset, volume, maker, taker):
            asset_id, decimals = _asset(asset, known)
            try:
                volume_atoms = parse_fixed(volume, decimals)
            except NumberError as error:
                raise OrderError(f"{volume} is no amount of {asset}: {error}") from None
            shares = _ppm("maker's share", maker), _ppm("taker's share", taker)
            said = f"tier {tier} from {volume} {asset}: {maker}, {taker} of the fees"
            return lambda number: SetFeeTier(number, tier, asset_id, volume_atoms, *shares), said
        case SetDiscount(asset, less):
            discount_id = 0 if asset == NO_ASSET else _asset(asset, known)[0]
            discount_ppm = _ppm("discount", less)
            return lambda number: SetFeeDiscount(number, discount_id, discount_ppm), f"{less} less in {asset}"


def market_in(known: KnownMarkets, symbol: str) -> Mapping[str, Any]:
    """The row of a market. Raises OrderError."""
    market = known.markets.get(symbol)
    if market is None:
        raise OrderError(f"there is no market {symbol}; `markets list` tells which there are")
    return market


def account_tier(change: Change) -> Make:
    """The command that puts an account into its tier, by its id."""
    return lambda command_id: SetAccountTier(command_id, change.user_id, change.tier)


def _asset(code: str, known: KnownMarkets) -> tuple[int, int]:
    """(id, decimals). Raises OrderError."""
    if code not in known.assets:
        raise OrderError(f"there is no asset {code}")
    return known.assets[code]


def _ppm(name: str, text: str) -> int:
    """A part of one, as `0.001`, in millionths. Raises OrderError."""
    try:
        ppm = parse_fixed(text, _PPM_DECIMALS)
    except NumberError as error:
        raise OrderError(f"{text} is no {name}: {error}; write 0.001 for a thousandth") from None
    if not 0 <= ppm <= _WHOLE_PPM:
        raise OrderError(f"the {name} is a part of the whole: 0 to 1")
    return ppm
