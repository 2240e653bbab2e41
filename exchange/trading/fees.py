"""Fees as those read them who follow the events: what a trade cost, and what the next one will. Pure."""

from typing import Final, NamedTuple

from exchange.contracts.codec import field_names
from exchange.contracts.codes import BUY
from exchange.contracts.events import MarketRegistered, TradeExecuted
from exchange.contracts.fee_events import FeeTierChanged, MarketFeesChanged, TradeExecutedWithDiscount

__all__ = ["PaidFee", "Rates", "fee_of", "rates_in", "with_fees"]

_FIELDS: Final = field_names(MarketRegistered)
_PPM: Final = 1_000_000


class PaidFee(NamedTuple):
    """What one side of a trade paid. `asset_id` 0: in what it received."""

    asset_id: int
    atoms: int


class Rates(NamedTuple):
    """Of what is received, in millionths."""

    maker_ppm: int
    taker_ppm: int


def fee_of(trade: TradeExecuted, side: int) -> PaidFee:
    """The fee of a trade's buyer or seller."""
    if isinstance(trade, TradeExecutedWithDiscount):
        discounted = trade.buyer_discount_fee_atoms if side == BUY else trade.seller_discount_fee_atoms
        if discounted:
            return PaidFee(trade.discount_asset_id, discounted)
    return PaidFee(0, trade.buyer_fee_atoms if side == BUY else trade.seller_fee_atoms)


def rates_in(rules: MarketRegistered, tier: FeeTierChanged | None) -> Rates:
    """What an account of this tier (None: of none) pays in a market without a discount."""
    if tier is None:
        return Rates(rules.maker_fee_ppm, rules.taker_fee_ppm)
    return Rates(
        rules.maker_fee_ppm * tier.maker_share_ppm // _PPM, rules.taker_fee_ppm * tier.taker_share_ppm // _PPM
    )


def with_fees(rules: MarketRegistered, changed: MarketFeesChanged) -> MarketRegistered:
    """A market's rules with its new fees. Events are shared by who reads them, so none is changed."""
    values = {name: getattr(rules, name) for name in _FIELDS}
    values["maker_fee_ppm"], values["taker_fee_ppm"] = changed.maker_fee_ppm, changed.taker_fee_ppm
    return MarketRegistered(**values)
