"""/ping, /time, /exchangeInfo, and the few answers outside /api/v3 that clients want at start-up."""

from collections.abc import Callable
from typing import Final

import orjson

from exchange.contracts.errors import ApiError, bad_combination
from exchange.http.query_parameters import boolean
from services.market_data.markets.state import MarketState, MarketView
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.exchange_info import RATE_LIMITS, market_status, symbol_object, trade_fee_rows
from services.market_data.rest.parameters import STATUS_MISMATCH, one_view, optional_views, status_filter

__all__ = ["GeneralEndpoints"]

_PERMISSIONS_KNOWN: Final = "SPOT"


class GeneralEndpoints:
    """`state` gives the state of the moment; `clock_us` is the service's clock."""

    def __init__(self, state: Callable[[], MarketState], clock_us: Callable[[], int]) -> None:
        self._state = state
        self._clock_us = clock_us
        self._fragments: dict[tuple[str, bool], orjson.Fragment] = {}
        self._fragments_of: tuple[MarketState, int] | None = None

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [
            Endpoint("/api/v3/ping", "", 1, _constant({})),
            Endpoint("/api/v3/time", "", 1, self._time),
            Endpoint(
                "/api/v3/exchangeInfo",
                "symbol symbols permissions showPermissionSets symbolStatus",
                20,
                self._exchange_info,
            ),
            # Stubs (binance-spot-api 0.9, 7.7): whatever is sent, signed or not, changes nothing.
            Endpoint("/sapi/v1/asset/tradeFee", None, 1, self._trade_fee),
            Endpoint("/sapi/v1/capital/config/getall", None, 1, _constant([])),
            Endpoint("/sapi/v1/margin/allPairs", None, 1, _constant([])),
            Endpoint("/sapi/v1/margin/isolated/allPairs", None, 1, _constant([])),
            Endpoint("/sapi/v1/spot/delist-schedule", None, 1, _constant([])),
            Endpoint("/sapi/v1/system/status", None, 1, _constant({"status": 0, "msg": "normal"})),
            Endpoint("/fapi/v1/exchangeInfo", None, 1, _constant({"symbols": []})),
            Endpoint("/dapi/v1/exchangeInfo", None, 1, _constant({"symbols": []})),
        ]

    def _time(self, call: Call) -> object:
        return {"serverTime": self._clock_us() * call.scale // 1000}

    def _exchange_info(self, call: Call) -> object:
        parameters = call.parameters
        state = self._state()
        view, views = optional_views(state, parameters)
        shows_sets = boolean(parameters, "showPermissionSets", default=True)
        status = status_filter(parameters)
        permissions = parameters.get("permissions")
        if permissions is not None and (view is not None or views is not None):
            raise bad_combination()
        if view is not None:
            if status is not None and market_status(view.market) != status:
                raise ApiError(-1220, STATUS_MISMATCH)
            views = [view]
        elif views is None:
            views = list(state.views.values())
        if permissions is not None and _PERMISSIONS_KNOWN not in permissions:
            views = []
        if status is not None:
            views = [one for one in views if market_status(one.market) == status]
        return {
            "timezone": "UTC",
            "serverTime": self._clock_us() * call.scale // 1000,
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [self._fragment(state, one, shows_sets) for one in views],
        }

    def _fragment(self, state: MarketState, view: MarketView, shows_sets: bool) -> orjson.Fragment:
        if self._fragments_of != (state, state.rules_version):
            self._fragments_of = (state, state.rules_version)
            self._fragments.clear()
        key = (view.market.symbol, shows_sets)
        fragment = self._fragments.get(key)
        if fragment is None:
            described = symbol_object(view.market, show_permission_sets=shows_sets)
            fragment = self._fragments[key] = orjson.Fragment(orjson.dumps(described))
        return fragment

    def _trade_fee(self, call: Call) -> object:
        state = self._state()
        if call.parameters.get("symbol"):
            return trade_fee_rows([one_view(state, call.parameters).market])
        return trade_fee_rows(view.market for view in state.views.values())


def _constant(value: object) -> Callable[[Call], object]:
    def answer(_: Call) -> object:
        return value

    return answer
