"""/exchangeInfo: what can be traded, by which rules (binance-spot-api 2)."""

from collections.abc import Callable
from typing import Final

import orjson

from exchange.contracts.codes import (
    LIMIT_MAKER,
    MODE_POST_ONLY,
    ORDER_TYPE_NAMES,
    STP_DECREMENTING_NAMES,
    STP_EXPIRE_MAKER,
    STP_NAMES,
    TRIGGERED_TYPE_NAMES,
)
from exchange.contracts.errors import bad_combination
from exchange.http.query_parameters import boolean
from exchange.http.request_limits import LIMITS
from exchange.trading.filters import Filters, market_shapes
from exchange.trading.market import Market
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.state import MarketState, MarketView
from services.market_data.markets.texts import status_text
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import demand_status, optional_views, status_filter

__all__ = ["ExchangeInfoEndpoints"]

_PERMISSIONS_KNOWN: Final = "SPOT"
_RATE_LIMITS: Final = tuple(limit.shape() for limit in LIMITS)


class ExchangeInfoEndpoints:
    """The rules of the markets. `clock_us`: microseconds since 1970."""

    def __init__(self, markets: MarketFollower, clock_us: Callable[[], int]) -> None:
        self._markets = markets
        self._clock_us = clock_us
        # Symbols as JSON, for as long as the rules are those of (state, version): they are asked for often.
        self._fragments: dict[tuple[str, bool], orjson.Fragment] = {}
        self._fragments_of: tuple[MarketState, int] | None = None

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [
            Endpoint(
                "/api/v3/exchangeInfo",
                "symbol symbols permissions showPermissionSets symbolStatus",
                self._exchange_info,
            ),
        ]

    def _exchange_info(self, call: Call) -> object:
        parameters = call.parameters
        state = self._markets.current()
        view, views = optional_views(state, parameters)
        shows_sets = boolean(parameters, "showPermissionSets", default=True)
        status = status_filter(parameters)
        permissions = parameters.get("permissions")
        if permissions is not None and (view is not None or views is not None):
            raise bad_combination()
        if view is not None:
            demand_status(view.market, status)
            views = [view]
        elif views is None:
            views = list(state.views.values())
        if permissions is not None and _PERMISSIONS_KNOWN not in permissions:
            views = []
        if status is not None:
            views = [one for one in views if status_text(one.market) == status]
        return {
            "timezone": "UTC",
            "serverTime": self._clock_us() * call.scale // 1000,
            "rateLimits": _RATE_LIMITS,
            "exchangeFilters": state.filters.exchange_shapes(),
            "symbols": [self._fragment(state, one, shows_sets) for one in views],
        }

    def _fragment(self, state: MarketState, view: MarketView, shows_sets: bool) -> orjson.Fragment:
        if self._fragments_of != (state, state.rules_version):
            self._fragments_of = (state, state.rules_version)
            self._fragments.clear()
        key = (view.market.symbol, shows_sets)
        fragment = self._fragments.get(key)
        if fragment is None:
            described = _symbol(view.market, state.filters, show_permission_sets=shows_sets)
            fragment = self._fragments[key] = orjson.Fragment(orjson.dumps(described))
        return fragment


def _order_types(market: Market) -> list[str]:
    """What may be placed now, in Binance's order: LIMIT, LIMIT_MAKER, MARKET, then what waits for a price."""
    if market.mode == MODE_POST_ONLY:
        return [ORDER_TYPE_NAMES[LIMIT_MAKER]]
    return [*sorted(ORDER_TYPE_NAMES.values()), *sorted(TRIGGERED_TYPE_NAMES.values())]


def _symbol(market: Market, filters: Filters, *, show_permission_sets: bool) -> dict[str, object]:
    """One element of `symbols`."""
    return {
        "symbol": market.symbol,
        "status": status_text(market),
        "baseAsset": market.base.code,
        "baseAssetPrecision": market.base.decimals,
        "quoteAsset": market.quote.code,
        "quotePrecision": market.quote.decimals,
        "quoteAssetPrecision": market.quote.decimals,
        "baseCommissionPrecision": market.base.decimals,
        "quoteCommissionPrecision": market.quote.decimals,
        "orderTypes": _order_types(market),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": market_shapes(filters, market.rules, market.base.decimals, market.quote.decimals),
        "permissions": [],
        "permissionSets": [["SPOT"]] if show_permission_sets else [],
        "defaultSelfTradePreventionMode": STP_NAMES[STP_EXPIRE_MAKER],
        "allowedSelfTradePreventionModes": [*STP_NAMES.values(), *STP_DECREMENTING_NAMES.values()],
    }
