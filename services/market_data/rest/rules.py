"""/executionRules, /referencePrice, /historicalBlockTrades: what no market here has, told as documented.

Prices are bounded by filters alone, no market has a reference price, and nobody trades beside the books.
"""

from typing import Final, Never

from exchange.contracts import limits
from exchange.contracts.errors import ApiError, bad_combination, mandatory_parameter
from exchange.http.query_parameters import integer
from services.market_data.markets.follower import MarketFollower
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import (
    demand_status,
    limit,
    one_view,
    optional_views,
    status_filter,
)

__all__ = ["RuleEndpoints"]

_ROWS_DEFAULT: Final = 500
_ROWS_MAX: Final = limits.PAGE_ROWS_MAX


class RuleEndpoints:
    """Rules and trades of other kinds. Requests are checked as if there were some."""

    def __init__(self, markets: MarketFollower) -> None:
        self._markets = markets

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [
            Endpoint("/api/v3/executionRules", "symbol symbols symbolStatus", self._execution_rules),
            Endpoint("/api/v3/referencePrice", "symbol", self._no_reference_price),
            Endpoint("/api/v3/referencePrice/calculation", "symbol symbolStatus", self._no_reference_price),
            Endpoint("/api/v3/historicalBlockTrades", "symbol fromId limit", self._block_trades),
        ]

    def _execution_rules(self, call: Call) -> object:
        if len(call.parameters) > 1:
            raise bad_combination()
        optional_views(self._markets.current(), call.parameters)
        status_filter(call.parameters)
        return {"symbolRules": []}

    def _no_reference_price(self, call: Call) -> Never:
        view = one_view(self._markets.current(), call.parameters)
        demand_status(view.market, status_filter(call.parameters))
        raise ApiError(-2043, "This symbol doesn't have a reference price.")

    def _block_trades(self, call: Call) -> object:
        one_view(self._markets.current(), call.parameters)
        if integer(call.parameters, "fromId") is None:
            raise mandatory_parameter("fromId")
        limit(call.parameters, _ROWS_DEFAULT, _ROWS_MAX)
        return []
