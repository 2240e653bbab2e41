"""/trades, /historicalTrades, /aggTrades (binance-spot-api 2.3): from memory, before that from history."""

from collections.abc import Iterable, Sequence
from typing import Final

from exchange.contracts import limits
from exchange.contracts.errors import bad_combination
from exchange.http.query_parameters import integer, time_ms
from exchange.trading.market import Market
from exchange.trading.shown import trade_rows
from exchange.trading.trades import AggregateTrade, Trade
from services.market_data.markets.follower import MarketFollower
from services.market_data.markets.history import History
from services.market_data.markets.state import MarketView
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import limit, one_view

__all__ = ["TradeEndpoints"]

_TRADES_DEFAULT: Final = 500
_TRADES_MAX: Final = limits.PAGE_ROWS_MAX
_FUTURE_MS: Final = 2**62


class TradeEndpoints:
    """One market's trades, singly and joined by taker."""

    def __init__(self, markets: MarketFollower, history: History) -> None:
        self._markets = markets
        self._history = history

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [
            Endpoint("/api/v3/trades", "symbol limit", self._trades),
            Endpoint("/api/v3/historicalTrades", "symbol limit fromId", self._historical_trades),
            Endpoint("/api/v3/aggTrades", "symbol fromId startTime endTime limit", self._aggregates),
        ]

    def _trades(self, call: Call) -> object:
        view = one_view(self._markets.current(), call.parameters)
        count = limit(call.parameters, _TRADES_DEFAULT, _TRADES_MAX)
        return trade_rows(view.market, view.trades.newest(count), call.scale)

    async def _historical_trades(self, call: Call) -> object:
        view = one_view(self._markets.current(), call.parameters)
        count = limit(call.parameters, _TRADES_DEFAULT, _TRADES_MAX)
        first_id = integer(call.parameters, "fromId")
        ring = view.trades
        if first_id is None:
            return trade_rows(view.market, ring.newest(count), call.scale)
        found: list[Trade] = []
        if first_id < ring.floor_id:
            found = await self._history.trades_from(view.market.market_id, first_id, ring.floor_id, count)
        found += ring.from_id(max(first_id, ring.floor_id), count - len(found))
        return trade_rows(view.market, found, call.scale)

    async def _aggregates(self, call: Call) -> object:
        parameters = call.parameters
        view = one_view(self._markets.current(), parameters)
        count = limit(parameters, _TRADES_DEFAULT, _TRADES_MAX)
        first_id = integer(parameters, "fromId")
        start_ms, end_ms = time_ms(parameters, "startTime"), time_ms(parameters, "endTime")
        if first_id is not None:
            if start_ms is not None or end_ms is not None:
                raise bad_combination()
            found = await self._aggregates_from(view, first_id, count)
        elif start_ms is not None:
            found = await self._aggregates_between(view, start_ms, end_ms, count)
        elif end_ms is not None:
            found = await self._aggregates_until(view, end_ms, count)
        else:
            found = view.aggregates.newest(count)
        return _aggregate_rows(view.market, found, call.scale)

    async def _aggregates_from(self, view: MarketView, first_id: int, count: int) -> Sequence[AggregateTrade]:
        ring = view.aggregates
        floor_id = ring.floor_id
        if first_id >= floor_id or floor_id == 1:
            return ring.from_id(first_id, count)
        market_id, before_id = view.market.market_id, ring.items[0].first_id
        trade_id = await self._history.trade_id_of_aggregate(market_id, first_id, before_id)
        return await self._aggregates_from_trade(view, trade_id, count)

    async def _aggregates_from_trade(
        self, view: MarketView, trade_id: int, count: int
    ) -> Sequence[AggregateTrade]:
        """From the aggregate trade on that begins with this trade, or is the first behind it."""
        ring = view.aggregates
        floor_id, before_id = ring.floor_id, ring.items[0].first_id
        if trade_id >= before_id:
            return [one for one in ring.items if one.first_id >= trade_id][:count]
        found, is_all = await self._history.aggregates_from(view.market.market_id, trade_id, before_id, count)
        # Behind a part that is not all of the past the present would leave a gap.
        return [*found, *ring.from_id(floor_id, count - len(found))] if is_all else found

    async def _aggregates_between(
        self, view: MarketView, start_ms: int, end_ms: int | None, count: int
    ) -> Sequence[AggregateTrade]:
        last_ms = _FUTURE_MS if end_ms is None else end_ms
        if view.aggregates.holds_time(start_ms):
            return view.aggregates.between(start_ms, last_ms, count)
        trade_id = await self._history.trade_id_at(view.market.market_id, start_ms)
        if trade_id is None:
            return view.aggregates.between(start_ms, last_ms, count)
        found = await self._aggregates_from_trade(view, trade_id, count)
        return [one for one in found if one.time_ms <= last_ms]

    async def _aggregates_until(self, view: MarketView, end_ms: int, count: int) -> Sequence[AggregateTrade]:
        ring = view.aggregates
        found = ring.until(end_ms, count)
        if len(found) == count or ring.floor_id == 1:
            return found
        older = await self._history.aggregates_until(
            view.market.market_id, end_ms, ring.items[0].first_id, count - len(found)
        )
        return [*older, *found]


def _aggregate_rows(market: Market, trades: Iterable[AggregateTrade], scale: int) -> object:
    return [
        {
            "a": trade.id,
            "p": market.price(trade.price_ticks),
            "q": market.quantity(trade.quantity_lots),
            "f": trade.first_id,
            "l": trade.last_id,
            "T": trade.time_ms * scale,
            "m": trade.buyer_is_maker,
            "M": True,
        }
        for trade in trades
    ]
