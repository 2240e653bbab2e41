"""Orders about markets, their filters and their fees."""

from typing import Final, TypeAlias

from services.operator.tagged import Tagged

__all__ = [
    "ALL_MARKETS",
    "NO_ASSET",
    "ChangeFilter",
    "CountTiers",
    "ListFees",
    "MarketOrder",
    "RetireMarket",
    "SetDiscount",
    "SetFees",
    "SetTier",
    "ShowFilters",
]

# In place of the name of one market, and of an asset.
ALL_MARKETS: Final = "ALL"
NO_ASSET: Final = "NONE"


class RetireMarket(Tagged, frozen=True, tag=True):
    """End a market for good: no orders any more, and its open ones are cancelled."""

    symbol: str


class ChangeFilter(Tagged, frozen=True, tag=True):
    """Change a filter: of a market, of ALL_MARKETS together, or (MAX_ASSET) of an asset.

    `name`: its filterType. `values`: public name -> text, as exchangeInfo has them; those that are not named
    stay. None at all: switch it off.
    """

    symbol: str
    name: str
    values: dict[str, str]


class ShowFilters(Tagged, frozen=True, tag=True):
    """The filters of a market, or with ALL_MARKETS those of the exchange and its assets."""

    symbol: str


class SetFees(Tagged, frozen=True, tag=True):
    """What a market's makers and takers pay of what they receive from the next trade on, as `0.001`."""

    symbol: str
    maker: str
    taker: str


class SetTier(Tagged, frozen=True, tag=True):
    """What accounts pay of each market's fees who traded `volume` of `asset` in 30 days; 0 ends the tier."""

    tier: int
    asset: str
    volume: str
    maker: str
    taker: str


class SetDiscount(Tagged, frozen=True, tag=True):
    """In which asset fees may be paid (NO_ASSET: in none), and how much less they are then."""

    asset: str
    less: str


class CountTiers(Tagged, frozen=True, tag=True):
    """Put every account into the tier that its 30 days ask for."""


class ListFees(Tagged, frozen=True, tag=True):
    """What markets take, which tiers there are, and the discount."""


MarketOrder: TypeAlias = (
    RetireMarket | ChangeFilter | ShowFilters | SetFees | SetTier | SetDiscount | CountTiers | ListFees
)
