"""GET /exchangeInfo: what can be traded, by which rules (binance-spot-api 2.1 and 2.2)."""

from collections.abc import Iterable
from typing import Final

from exchange.contracts.codes import ORDER_TYPE_NAMES, STP_EXPIRE_MAKER, STP_NAMES, TRADING_MODE_NAMES
from exchange.http.request_limits import LIMITS
from exchange.money import format_fixed
from exchange.trading.market import Market

__all__ = ["RATE_LIMITS", "market_status", "symbol_object", "trade_fee_rows"]

_AVERAGE_PRICE_MINUTES: Final = 5
_PPM_DECIMALS: Final = 6
RATE_LIMITS: Final = tuple(limit.shape() for limit in LIMITS)


def market_status(market: Market) -> str:
    """The public name of the market's trading mode."""
    return TRADING_MODE_NAMES[market.mode]


def _multiplier(ppm: int) -> str:
    return format_fixed(ppm, _PPM_DECIMALS)


def _filters(market: Market) -> list[dict[str, object]]:
    """PRICE_FILTER must come first (section 0, rule 10)."""
    rules = market.rules
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": market.price(rules.price_ticks_min),
            "maxPrice": market.price(rules.price_ticks_max),
            "tickSize": market.price(1),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": market.quantity(rules.quantity_lots_min),
            "maxQty": market.quantity(rules.quantity_lots_max),
            "stepSize": market.quantity(1),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": market.quantity(rules.quantity_lots_min),
            "maxQty": market.quantity(rules.market_quantity_lots_max),
            "stepSize": market.quantity(1),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": market.quote_amount(rules.notional_atoms_min),
            "applyMinToMarket": True,
            "maxNotional": market.quote_amount(rules.notional_atoms_max),
            "applyMaxToMarket": True,
            "avgPriceMins": _AVERAGE_PRICE_MINUTES,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": _multiplier(rules.bid_multiplier_up_ppm),
            "bidMultiplierDown": _multiplier(rules.bid_multiplier_down_ppm),
            "askMultiplierUp": _multiplier(rules.ask_multiplier_up_ppm),
            "askMultiplierDown": _multiplier(rules.ask_multiplier_down_ppm),
            "avgPriceMins": _AVERAGE_PRICE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.open_orders_max},
    ]


def symbol_object(market: Market, *, show_permission_sets: bool) -> dict[str, object]:
    """One element of `symbols`."""
    return {
        "symbol": market.symbol,
        "status": market_status(market),
        "baseAsset": market.base.code,
        "baseAssetPrecision": market.base.decimals,
        "quoteAsset": market.quote.code,
        "quotePrecision": market.quote.decimals,
        "quoteAssetPrecision": market.quote.decimals,
        "baseCommissionPrecision": market.base.decimals,
        "quoteCommissionPrecision": market.quote.decimals,
        # In Binance's order: LIMIT, LIMIT_MAKER, MARKET.
        "orderTypes": sorted(ORDER_TYPE_NAMES.values()),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(market),
        "permissions": [],
        "permissionSets": [["SPOT"]] if show_permission_sets else [],
        "defaultSelfTradePreventionMode": STP_NAMES[STP_EXPIRE_MAKER],
        "allowedSelfTradePreventionModes": list(STP_NAMES.values()),
    }


def trade_fee_rows(markets: Iterable[Market]) -> list[dict[str, str]]:
    """The array of /sapi/v1/asset/tradeFee."""
    return [
        {
            "symbol": market.symbol,
            "makerCommission": market.rate(market.rules.maker_fee_ppm),
            "takerCommission": market.rate(market.rules.taker_fee_ppm),
        }
        for market in markets
    ]
