"""A market's filters as the API lists them (binance-spot-api 2.2): what exchangeInfo and myFilters tell."""

from typing import Final

from exchange.contracts import limits
from exchange.contracts.events import MarketRegistered
from exchange.money import format_fixed

__all__ = ["AVERAGE_PRICE_MINUTES", "filter_shapes"]

# Over how many minutes the engine's filters average prices.
AVERAGE_PRICE_MINUTES: Final = 5
_PPM_DECIMALS: Final = 6


def filter_shapes(
    rules: MarketRegistered, base_decimals: int, quote_decimals: int
) -> list[dict[str, object]]:
    """One object for each filter of a market. PRICE_FILTER comes first (section 0, rule 10)."""

    def price(ticks: int) -> str:
        return format_fixed(ticks * rules.tick_atoms, quote_decimals)

    def quantity(lots: int) -> str:
        return format_fixed(lots * rules.lot_atoms, base_decimals)

    def multiplier(ppm: int) -> str:
        return format_fixed(ppm, _PPM_DECIMALS)

    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price(rules.price_ticks_min),
            "maxPrice": price(rules.price_ticks_max),
            "tickSize": price(1),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": quantity(rules.quantity_lots_min),
            "maxQty": quantity(rules.quantity_lots_max),
            "stepSize": quantity(1),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": quantity(rules.quantity_lots_min),
            "maxQty": quantity(rules.market_quantity_lots_max),
            "stepSize": quantity(1),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": format_fixed(rules.notional_atoms_min, quote_decimals),
            "applyMinToMarket": True,
            "maxNotional": format_fixed(rules.notional_atoms_max, quote_decimals),
            "applyMaxToMarket": True,
            "avgPriceMins": AVERAGE_PRICE_MINUTES,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": multiplier(rules.bid_multiplier_up_ppm),
            "bidMultiplierDown": multiplier(rules.bid_multiplier_down_ppm),
            "askMultiplierUp": multiplier(rules.ask_multiplier_up_ppm),
            "askMultiplierDown": multiplier(rules.ask_multiplier_down_ppm),
            "avgPriceMins": AVERAGE_PRICE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.open_orders_max},
        # The engine's own, the same in each market (ADR 0037).
        {"filterType": "ICEBERG_PARTS", "limit": limits.ICEBERG_PARTS_MAX},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": limits.ALGO_ORDERS_MAX},
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": limits.ICEBERG_ORDERS_MAX},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": limits.ORDER_LISTS_MAX},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": limits.ORDER_AMENDS_MAX},
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": limits.TRAILING_BIPS_MIN,
            "maxTrailingAboveDelta": limits.TRAILING_BIPS_MAX,
            "minTrailingBelowDelta": limits.TRAILING_BIPS_MIN,
            "maxTrailingBelowDelta": limits.TRAILING_BIPS_MAX,
        },
    ]
