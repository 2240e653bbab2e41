"""Fees and rates of fees as the API writes them."""

from typing import Final

from exchange.contracts import codes
from exchange.money import format_fixed
from exchange.trading.fees import PaidFee
from services.order.view.model import AccountView, Market

__all__ = ["commission", "discount", "rate_text"]

PPM_TO_ATOMS: Final = 100  # a rate in millionths as text with eight decimals
_WHOLE_PPM: Final = 1_000_000


def rate_text(ppm: int) -> str:
    """A fee rate as text with eight decimals."""
    return format_fixed(ppm * PPM_TO_ATOMS, 8)


def discount(view: AccountView, user_id: int, market: Market) -> dict[str, object]:
    """What an account pays in the discount asset: `discount` is the part of the fee that is left of it."""
    fees = view.fees
    asset = view.assets.get(fees.discount_asset_id)
    if asset is None:
        return {
            "enabledForAccount": fees.pays_discounted(user_id),
            "enabledForSymbol": False,
            "discountAsset": "",
            "discount": rate_text(0),
        }
    rules = [one.rules for one in view.markets.values()]
    return {
        "enabledForAccount": fees.pays_discounted(user_id),
        "enabledForSymbol": fees.is_priced(market.rules.quote_asset_id, rules),
        "discountAsset": asset.code,
        "discount": rate_text(_WHOLE_PPM - fees.discount_ppm),
    }


def commission(view: AccountView, market: Market, side: int, fee: PaidFee) -> tuple[str, str]:
    """What one side of a trade paid: amount and asset."""
    received = market.base if side == codes.BUY else market.quote
    asset = view.assets[fee.asset_id] if fee.asset_id else received
    return asset.text(fee.atoms), asset.code
