"""What a request costs its address: the documented weights (binance-spot-api 2), for every door the same.

The table of market data is here because two services charge by it: REST's, and that of the WebSocket API,
which asks on behalf of its callers. A request is charged before it is served; one that is refused weighs at
least `REFUSED`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from exchange.http.query_parameters import Parameters

__all__ = ["MARKET_DATA_WEIGHTS", "REFUSED", "UNKNOWN", "Weight", "weight_of"]

Weight = int | Callable[[Parameters], int]
"""A number, or what makes one of the request's parameters, whatever they are: nobody has checked them yet."""

REFUSED: Final = 1
# Of a path or a method that does not exist.
UNKNOWN: Final = 1
_DEPTH: Final = ((100, 5), (500, 25), (1_000, 50))
_DEPTH_MOST: Final = 250
_DEPTH_DEFAULT: Final = 5
# Longer texts are no limit that anybody could mean; what they ask for is refused, or cut to the most.
_LIMIT_DIGITS_MAX: Final = 20
_DAY_ALL: Final = 80
_DAY: Final = ((20, 2), (100, 40))
_PER_SYMBOL: Final = 4
_PER_SYMBOL_MOST: Final = 200
_RULES_PER_SYMBOL: Final = 2
_RULES_MOST: Final = 40


def weight_of(weight: Weight, parameters: Parameters) -> int:
    """The weight of a request with these parameters."""
    return weight if isinstance(weight, int) else weight(parameters)


def _depth(parameters: Parameters) -> int:
    text = parameters.get("limit")
    if text is None or not (text.isascii() and text.isdigit()):
        return _DEPTH_DEFAULT
    if len(text) > _LIMIT_DIGITS_MAX:
        return _DEPTH_MOST
    levels = int(text)
    return next((weight for most, weight in _DEPTH if levels <= most), _DEPTH_MOST)


def _symbols(parameters: Parameters) -> int | None:
    """How many markets are named, None for all of them."""
    if parameters.get("symbol"):
        return 1
    text = parameters.get("symbols")
    # A JSON array of names, which hold no quotation marks.
    return None if text is None else max(1, text.count('"') // 2)


def _one_or_more(parameters: Parameters) -> int:
    return 2 if parameters.get("symbol") else 4


def _day_ticker(parameters: Parameters) -> int:
    count = _symbols(parameters)
    if count is None:
        return _DAY_ALL
    return next((weight for most, weight in _DAY if count <= most), _DAY_ALL)


def _window_ticker(parameters: Parameters) -> int:
    return min(_PER_SYMBOL_MOST, _PER_SYMBOL * (_symbols(parameters) or 1))


def _execution_rules(parameters: Parameters) -> int:
    count = _symbols(parameters)
    return _RULES_MOST if count is None else min(_RULES_MOST, _RULES_PER_SYMBOL * count)


# Path of GET -> weight. What is not here (stubs outside of /api/v3) weighs one.
MARKET_DATA_WEIGHTS: Final[Mapping[str, Weight]] = {
    "/api/v3/ping": 1,
    "/api/v3/time": 1,
    "/api/v3/exchangeInfo": 20,
    "/api/v3/depth": _depth,
    "/api/v3/trades": 25,
    "/api/v3/historicalTrades": 25,
    "/api/v3/aggTrades": 4,
    "/api/v3/klines": 2,
    "/api/v3/uiKlines": 2,
    "/api/v3/avgPrice": 2,
    "/api/v3/ticker/24hr": _day_ticker,
    "/api/v3/ticker/price": _one_or_more,
    "/api/v3/ticker/bookTicker": _one_or_more,
    "/api/v3/ticker": _window_ticker,
    "/api/v3/ticker/tradingDay": _window_ticker,
    "/api/v3/executionRules": _execution_rules,
    "/api/v3/referencePrice": 2,
    "/api/v3/referencePrice/calculation": 2,
    "/api/v3/historicalBlockTrades": 25,
}
