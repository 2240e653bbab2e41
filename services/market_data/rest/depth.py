"""/depth (binance-spot-api 2.3): the order book as it stands."""

from typing import Final

import orjson

from exchange.contracts import limits
from services.market_data.markets.book import Book
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import level_texts
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import demand_status, limit, one_view, status_filter

__all__ = ["DepthEndpoints"]

_LEVELS_DEFAULT: Final = 100
_LEVELS_MAX: Final = limits.DEPTH_LEVELS_MAX
_DEPTHS_KEPT_MAX: Final = 256


class DepthEndpoints:
    """The levels of one market's book."""

    def __init__(self, markets: MarketFollower) -> None:
        self._markets = markets
        # (symbol, limit) -> (book, version, levels as JSON): a book is asked for more often than it changes.
        self._depths: dict[tuple[str, int], tuple[Book, int, bytes]] = {}

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [Endpoint("/api/v3/depth", "symbol limit symbolStatus", self._depth)]

    def _depth(self, call: Call) -> object:
        state = self._markets.current()
        count = limit(call.parameters, _LEVELS_DEFAULT, _LEVELS_MAX)
        view = one_view(state, call.parameters)
        demand_status(view.market, status_filter(call.parameters))
        return b'{"lastUpdateId":%d,%b' % (state.seq, self._levels(view, count))

    def _levels(self, view: MarketView, count: int) -> bytes:
        key = (view.market.symbol, count)
        kept = self._depths.get(key)
        book = view.book
        if kept is not None and kept[0] is book and kept[1] == book.version:
            return kept[2]
        levels = orjson.dumps(
            {
                "bids": level_texts(view.market, book.bids.top(count)),
                "asks": level_texts(view.market, book.asks.top(count)),
            }
        )[1:]
        if len(self._depths) >= _DEPTHS_KEPT_MAX:
            self._depths.clear()
        self._depths[key] = (book, book.version, levels)
        return levels
