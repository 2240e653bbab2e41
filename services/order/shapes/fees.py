"""Fees and rates of fees as the API writes them."""

from typing import Final

from exchange.contracts import codes
from exchange.money import format_fixed
from services.order.view.model import Market

__all__ = ["commission", "no_discount", "rate_text"]

PPM_TO_ATOMS: Final = 100  # a rate in millionths as text with eight decimals


def rate_text(ppm: int) -> str:
    """A fee rate as text with eight decimals."""
    return format_fixed(ppm * PPM_TO_ATOMS, 8)


def no_discount() -> dict[str, object]:
    """Nobody pays his fees with an asset that makes them smaller."""
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "",
        "discount": rate_text(0),
    }


def commission(market: Market, side: int, buyer_fee_atoms: int, seller_fee_atoms: int) -> tuple[str, str]:
    """What one side of a trade paid: amount and asset. The fee is taken from what was received."""
    if side == codes.BUY:
        return market.base.text(buyer_fee_atoms), market.base.code
    return market.quote.text(seller_fee_atoms), market.quote.code
