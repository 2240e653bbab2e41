"""What a market is, and how its whole numbers become the text that clients see."""

from typing import Final, NamedTuple

from exchange.contracts.events import MarketRegistered
from exchange.money import format_fixed

__all__ = ["Asset", "Market", "rounded_ratio"]

_PRICE_TEXTS_MAX: Final = 50_000
_PPM_DECIMALS: Final = 6


class Asset(NamedTuple):
    """An asset; one whole unit is 10**decimals atoms."""

    asset_id: int
    code: str
    decimals: int


class Market:
    """A market's rules, its trading mode (codes.MODE_*), and its number formats.

    Prices are text with the quote asset's decimals, quantities with the base asset's.
    """

    def __init__(self, rules: MarketRegistered, mode: int, base: Asset, quote: Asset) -> None:
        self.market_id = rules.market_id
        self.symbol = rules.symbol
        self.stream_symbol = rules.symbol.lower()
        self.rules = rules
        self.mode = mode
        self.base = base
        self.quote = quote
        self._base_unit_atoms = 10**base.decimals
        self._price_texts: dict[int, str] = {}

    def price(self, price_ticks: int) -> str:
        """Price text. Remembered, because a book shows the same prices again and again."""
        text = self._price_texts.get(price_ticks)
        if text is None:
            if len(self._price_texts) >= _PRICE_TEXTS_MAX:
                self._price_texts.clear()
            text = format_fixed(price_ticks * self.rules.tick_atoms, self.quote.decimals)
            self._price_texts[price_ticks] = text
        return text

    def quantity(self, quantity_lots: int) -> str:
        """Quantity text in the base asset."""
        return format_fixed(quantity_lots * self.rules.lot_atoms, self.base.decimals)

    def quote_amount(self, quote_atoms: int) -> str:
        """Amount text in the quote asset."""
        return format_fixed(quote_atoms, self.quote.decimals)

    def average_price(self, quote_atoms: int, quantity_lots: int) -> str:
        """Volume-weighted price: quote paid for one whole base unit; zero when nothing was traded."""
        base_atoms = quantity_lots * self.rules.lot_atoms
        price_atoms = rounded_ratio(quote_atoms * self._base_unit_atoms, base_atoms) if base_atoms else 0
        return format_fixed(price_atoms, self.quote.decimals)

    @staticmethod
    def rate(ppm: int) -> str:
        """A rate given in millionths as text, e.g. 1000 as 0.001000."""
        return format_fixed(ppm, _PPM_DECIMALS)


def rounded_ratio(numerator: int, denominator: int) -> int:
    """`numerator / denominator` to the nearest whole number, halves away from zero; denominator > 0."""
    doubled = 2 * abs(numerator) + denominator
    magnitude = doubled // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude
