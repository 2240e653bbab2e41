"""What the public REST API says of itself: /api/v3/openapi.json, and the page /docs."""

from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from exchange.http.openapi import Operation, docs_page, document
from services.market_data.rest.endpoints import Endpoint

__all__ = ["DOCS_PATH", "EXAMPLES", "OPENAPI_PATH", "Documents"]

OPENAPI_PATH: Final = "/api/v3/openapi.json"
DOCS_PATH: Final = "/docs"
_DOCUMENTS: Final = {
    "Public market data": OPENAPI_PATH,
    "Orders, accounts and wallet": "/sapi/openapi.json",
    "People, keys and transfers": "/v1/openapi.json",
}
_DESCRIPTION: Final = "As Binance's spot API; errors are `{code, msg}`."
# Path -> required parameters, and a query with them and some others.
EXAMPLES: Final[Mapping[str, tuple[str, str]]] = {
    "/api/v3/ping": ("", ""),
    "/api/v3/time": ("", ""),
    "/api/v3/exchangeInfo": ("", "symbol=BTCUSDT"),
    "/api/v3/executionRules": ("", "symbol=BTCUSDT"),
    "/api/v3/depth": ("symbol", "symbol=BTCUSDT&limit=5"),
    "/api/v3/trades": ("symbol", "symbol=BTCUSDT&limit=5"),
    "/api/v3/historicalTrades": ("symbol", "symbol=BTCUSDT&fromId=1&limit=5"),
    "/api/v3/historicalBlockTrades": ("symbol fromId", "symbol=BTCUSDT&fromId=1"),
    "/api/v3/aggTrades": ("symbol", "symbol=BTCUSDT&limit=5"),
    "/api/v3/klines": ("symbol interval", "symbol=BTCUSDT&interval=1m&limit=5"),
    "/api/v3/uiKlines": ("symbol interval", "symbol=BTCUSDT&interval=1d&timeZone=8"),
    "/api/v3/avgPrice": ("symbol", "symbol=BTCUSDT"),
    "/api/v3/ticker/24hr": ("", "symbol=BTCUSDT&type=MINI"),
    "/api/v3/ticker/tradingDay": ("", "symbol=BTCUSDT"),
    "/api/v3/ticker/price": ("", "symbol=BTCUSDT"),
    "/api/v3/ticker/bookTicker": ("", "symbol=BTCUSDT"),
    "/api/v3/ticker": ("", "symbol=BTCUSDT&windowSize=4h"),
    "/api/v3/referencePrice": ("symbol", "symbol=BTCUSDT"),
    "/api/v3/referencePrice/calculation": ("symbol", "symbol=BTCUSDT"),
}


class Documents:
    """Made once, of the endpoints as they are."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        described = document("Market data", _DESCRIPTION, map(_operation, endpoints))
        self.openapi = orjson.dumps(described)
        self.page = docs_page(_DOCUMENTS, described)


def _operation(endpoint: Endpoint) -> Operation:
    required, example = EXAMPLES.get(endpoint.path, ("", ""))
    summary = (endpoint.handler.__doc__ or endpoint.path.rpartition("/")[2]).splitlines()[0]
    names = endpoint.names or frozenset()
    return Operation("GET", endpoint.path, summary, names, frozenset(required.split()), example)
