"""The filters (binance-spot-api 2.2): their public names, and what their values are called and count.

The one table from which exchangeInfo tells a filter, an administrator names its values, and a reader of
`FilterChanged` knows what it carries.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from exchange.contracts import codes

__all__ = ["ASSET", "EXCHANGE", "FILTER_KINDS", "MARKET", "FilterKind", "Unit", "Values"]

# The four values of a filter, in order; what a filter does not have is 0.
Values = tuple[int, int, int, int]
# What a value counts.
Unit = str
PRICE: Final = "ticks"
QUANTITY: Final = "lots"
BASE: Final = "atoms of base"
QUOTE: Final = "atoms of quote"
OF_ASSET: Final = "atoms of the asset"
RATE: Final = "ppm"
COUNT: Final = "count"
FLAG: Final = "0 or 1"
# Whose filter it is.
MARKET: Final = "market"
EXCHANGE: Final = "exchange"
ASSET: Final = "asset"


class FilterKind(NamedTuple):
    """`name`: filterType. `fields`: (public name, unit) of each value. `scope`: whose filter it is."""

    name: str
    fields: Sequence[tuple[str, Unit]]
    scope: str = MARKET
    can_be_off: bool = False
    # Whether the public API says over how many minutes it averages prices.
    averages: bool = False


def _counted(name: str, field: str) -> FilterKind:
    return FilterKind(name, ((field, COUNT),))


def _of_exchange(name: str, field: str) -> FilterKind:
    return FilterKind(name, ((field, COUNT),), EXCHANGE, True)


# In the order of exchangeInfo; PRICE_FILTER comes first (binance-spot-api 0, rule 10).
FILTER_KINDS: Final[dict[int, FilterKind]] = {
    codes.FILTER_PRICE: FilterKind(
        "PRICE_FILTER", (("minPrice", PRICE), ("maxPrice", PRICE), ("tickSize", PRICE))
    ),
    codes.FILTER_LOT_SIZE: FilterKind(
        "LOT_SIZE", (("minQty", QUANTITY), ("maxQty", QUANTITY), ("stepSize", QUANTITY))
    ),
    codes.FILTER_MARKET_LOT_SIZE: FilterKind(
        "MARKET_LOT_SIZE", (("minQty", QUANTITY), ("maxQty", QUANTITY), ("stepSize", QUANTITY))
    ),
    codes.FILTER_MIN_NOTIONAL: FilterKind(
        "MIN_NOTIONAL", (("minNotional", QUOTE), ("applyToMarket", FLAG)), can_be_off=True, averages=True
    ),
    codes.FILTER_NOTIONAL: FilterKind(
        "NOTIONAL",
        (
            ("minNotional", QUOTE),
            ("applyMinToMarket", FLAG),
            ("maxNotional", QUOTE),
            ("applyMaxToMarket", FLAG),
        ),
        averages=True,
    ),
    codes.FILTER_PERCENT_PRICE: FilterKind(
        "PERCENT_PRICE",
        (("multiplierUp", RATE), ("multiplierDown", RATE)),
        can_be_off=True,
        averages=True,
    ),
    codes.FILTER_PERCENT_PRICE_BY_SIDE: FilterKind(
        "PERCENT_PRICE_BY_SIDE",
        (
            ("bidMultiplierUp", RATE),
            ("bidMultiplierDown", RATE),
            ("askMultiplierUp", RATE),
            ("askMultiplierDown", RATE),
        ),
        averages=True,
    ),
    codes.FILTER_MAX_NUM_ORDERS: _counted("MAX_NUM_ORDERS", "maxNumOrders"),
    codes.FILTER_ICEBERG_PARTS: _counted("ICEBERG_PARTS", "limit"),
    codes.FILTER_MAX_NUM_ALGO_ORDERS: _counted("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"),
    codes.FILTER_MAX_NUM_ICEBERG_ORDERS: _counted("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders"),
    codes.FILTER_MAX_NUM_ORDER_LISTS: _counted("MAX_NUM_ORDER_LISTS", "maxNumOrderLists"),
    codes.FILTER_MAX_NUM_ORDER_AMENDS: _counted("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends"),
    codes.FILTER_TRAILING_DELTA: FilterKind(
        "TRAILING_DELTA",
        (
            ("minTrailingAboveDelta", COUNT),
            ("maxTrailingAboveDelta", COUNT),
            ("minTrailingBelowDelta", COUNT),
            ("maxTrailingBelowDelta", COUNT),
        ),
    ),
    codes.FILTER_MAX_POSITION: FilterKind("MAX_POSITION", (("maxPosition", BASE),), can_be_off=True),
    codes.FILTER_EXCHANGE_MAX_NUM_ORDERS: _of_exchange("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders"),
    codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS: _of_exchange(
        "EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"
    ),
    codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS: _of_exchange(
        "EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders"
    ),
    codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS: _of_exchange(
        "EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists"
    ),
    codes.FILTER_MAX_ASSET: FilterKind("MAX_ASSET", (("limit", OF_ASSET),), ASSET, True),
}
