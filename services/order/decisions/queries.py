"""The questions about orders, trades and the account (binance-spot-api 2.5 and 2.7).

Open and recent orders and balances come from the view; older orders and trades from PostgreSQL, which
is waited for until it holds everything that the caller was already told. What is denied, by -2013 or by a
list that lacks it, is really not there: else the answer is -1001 (ADR 0008).
"""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    unavailable,
    unknown_order,
)
from exchange.http.query_parameters import boolean, integer
from exchange.http.request_limits import RequestLimits
from exchange.trading.fees import PaidFee, Rates
from exchange.trading.filters import asset_shape, market_shapes
from services.order.decisions.absent import check_time_range
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.decisions.prevented import match_of_id, matches_of_order
from services.order.requests.parameters import limit, market, named_order, optional_market
from services.order.shapes.fees import commission, discount, rate_text
from services.order.shapes.orders import order_status
from services.order.shapes.prevention import (
    match_row,
)
from services.order.view.history import History, OrderPage, TradePage, TradeRow
from services.order.view.model import AccountView, Market, OrderRecord

__all__ = ["Queries"]

PPM_PER_BASIS_POINT: Final = 100
_TRADE_COMBINATIONS: Final = frozenset(
    frozenset(names.split())
    for names in ("", "orderId", "startTime", "endTime", "fromId", "startTime endTime", "orderId fromId")
)
_PREVENTED_COMBINATIONS: Final = frozenset(
    frozenset(names.split()) for names in ("preventedMatchId", "orderId", "orderId fromPreventedMatchId")
)


class Queries:
    """The handlers that change nothing."""

    def __init__(self, engine: EngineLink, history: History, limits: RequestLimits) -> None:
        self._engine = engine
        self._history = history
        self._limits = limits

    async def order(self, call: Call) -> object:
        """GET /order."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        order_id, name = named_order(parameters, "orderId", "origClientOrderId")
        user_id, market_id = call.caller.user_id, found.rules.market_id
        order = self._find(user_id, market_id, order_id, name)
        # A name may be given again when its order has ended: the newest of that name may be still to come.
        if order is None or (order_id is None and not order.is_open):
            order = await self._find_for_certain(call, market_id, order_id, name)
        if name is not None and order.client_order_id != name:
            raise ApiError(-2039, "Client order ID is not correct for this order ID.")
        return order_status(found, order, call.unit)

    async def _find_for_certain(
        self, call: Call, market_id: int, order_id: int | None, name: str | None
    ) -> OrderRecord:
        """The order wherever it is. Raises -2013 when there is none, -1001 when that cannot be told now."""
        user_id = call.caller.user_id
        if order_id is not None:
            # There is one order of an id, so who has it in the ledger need not wait.
            order = await self._find_old(user_id, market_id, order_id, name)
            if order is not None:
                return order
        if not await self._engine.can_deny():
            raise unavailable()
        order = self._find(user_id, market_id, order_id, name)
        if order is not None:
            return order
        # Recent orders leave the view in the end; one that the ledger lacks yet does exist.
        is_complete = await self._catch_up(call)
        order = await self._find_old(user_id, market_id, order_id, name)
        if order is None:
            raise unknown_order() if is_complete else unavailable()
        return order

    def _find(
        self, user_id: int, market_id: int, order_id: int | None, name: str | None
    ) -> OrderRecord | None:
        """By order id if there is one, else by name; only the caller's own, only in that market."""
        view = self._engine.view
        if order_id is None:
            assert name is not None, "one of the two was sent"
            return view.order_by_client_id(user_id, market_id, name)
        order = view.order(order_id)
        if order is None or (order.user_id, order.market_id) == (user_id, market_id):
            return order
        raise unknown_order()

    async def _find_old(
        self, user_id: int, market_id: int, order_id: int | None, name: str | None
    ) -> OrderRecord | None:
        """The same in PostgreSQL."""
        if order_id is not None:
            return await self._history.order(user_id, market_id, order_id)
        assert name is not None, "one of the two was sent"
        return await self._history.order_by_client_id(user_id, market_id, name)

    async def open_orders(self, call: Call) -> object:
        """GET /openOrders. What the list lacks is denied."""
        view = self._engine.view
        found = optional_market(call.parameters, view)
        if not await self._engine.can_deny():
            raise unavailable()
        market_id = found.rules.market_id if found is not None else 0
        orders = view.open_orders(call.caller.user_id, market_id)
        return [order_status(view.markets[order.market_id], order, call.unit) for order in orders]

    async def all_orders(self, call: Call) -> object:
        """GET /allOrders."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        start_ms, end_ms = check_time_range(parameters)
        page = OrderPage(
            call.caller.user_id,
            found.rules.market_id,
            integer(parameters, "orderId"),
            start_ms,
            end_ms,
            limit(parameters),
        )
        await self._complete(call)
        orders = await self._history.orders(page)
        return [order_status(found, self._engine.view.order(o.order_id) or o, call.unit) for o in orders]

    async def my_trades(self, call: Call) -> object:
        """GET /myTrades."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        chosen = {"orderId", "startTime", "endTime", "fromId"} & parameters.keys()
        if chosen not in _TRADE_COMBINATIONS:
            raise bad_combination()
        start_ms, end_ms = check_time_range(parameters)
        page = TradePage(
            call.caller.user_id,
            found.rules.market_id,
            integer(parameters, "orderId"),
            integer(parameters, "fromId"),
            start_ms,
            end_ms,
            limit(parameters),
        )
        await self._complete(call)
        trades = await self._history.trades(page)
        return [_my_trade(self._engine.view, found, trade, call.unit) for trade in trades]

    async def account(self, call: Call) -> object:
        """GET /account."""
        view, user_id = self._engine.view, call.caller.user_id
        omits_zero = boolean(call.parameters, "omitZeroBalances")
        first = next(iter(view.markets.values()), None)
        rates = view.fees.rates(user_id, first.rules) if first else Rates(0, 0)
        return {
            "makerCommission": rates.maker_ppm // PPM_PER_BASIS_POINT,
            "takerCommission": rates.taker_ppm // PPM_PER_BASIS_POINT,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": _rates(*rates),
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": view.updated_ms_of.get(user_id, 0) * call.unit,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": asset.code,
                    "free": asset.text(balance.available_atoms),
                    "locked": asset.text(balance.held_atoms),
                }
                for asset, balance in view.balances_of(user_id)
                if not omits_zero or balance.available_atoms or balance.held_atoms
            ],
            "permissions": ["SPOT"],
            "uid": user_id,
        }

    async def account_commission(self, call: Call) -> object:
        """GET /account/commission."""
        view, user_id = self._engine.view, call.caller.user_id
        found = market(call.parameters, view)
        return {
            "symbol": found.rules.symbol,
            "standardCommission": _rates(*view.fees.rates(user_id, found.rules)),
            "specialCommission": _rates(0, 0),
            "taxCommission": _rates(0, 0),
            "discount": discount(view, user_id, found),
        }

    async def order_limits(self, call: Call) -> object:
        """GET /rateLimit/order."""
        return self._limits.order_limits(call.caller.user_id)

    async def my_filters(self, call: Call) -> object:
        """GET /myFilters: those of the market, of all markets, and of its assets; no account has its own."""
        view = self._engine.view
        found = market(call.parameters, view)
        filters = view.filters
        bounded = [(asset, filters.of_asset(asset.asset_id)) for asset in (found.base, found.quote)]
        return {
            "exchangeFilters": filters.exchange_shapes(),
            "symbolFilters": market_shapes(filters, found.rules, found.base.decimals, found.quote.decimals),
            "assetFilters": [
                asset_shape(asset.code, asset.decimals, atoms) for asset, atoms in bounded if atoms
            ],
        }

    async def my_prevented_matches(self, call: Call) -> object:
        """GET /myPreventedMatches: by the match's own id, or those of an order."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        chosen = {"preventedMatchId", "orderId", "fromPreventedMatchId"} & parameters.keys()
        if chosen not in _PREVENTED_COMBINATIONS:
            raise bad_combination()
        match_id = integer(parameters, "preventedMatchId")
        order_id = integer(parameters, "orderId")
        from_id = integer(parameters, "fromPreventedMatchId") or 0
        count = limit(parameters)
        await self._complete(call)
        user_id, market_id = call.caller.user_id, found.rules.market_id
        if match_id is not None:
            matches = await match_of_id(self._history, user_id, market_id, match_id)
        else:
            assert order_id is not None, "each combination has one of them"
            matches = await matches_of_order(self._history, user_id, market_id, order_id, from_id, count)
        return [match_row(found, match, call.unit) for match in matches]

    async def _complete(self, call: Call) -> None:
        """Let view and ledger reach all that was sent before, or raise -1001: a list denies what it lacks."""
        if not (await self._engine.can_deny() and await self._catch_up(call)):
            raise unavailable()

    async def _catch_up(self, call: Call) -> bool:
        """Let the ledger reach the last thing that happened to this user, for a bounded time.

        Whether it has.
        """
        return await self._history.wait_for(self._engine.view.last_seq_of.get(call.caller.user_id, 0))


def _rates(maker_ppm: int, taker_ppm: int) -> dict[str, str]:
    zero = rate_text(0)
    return {"maker": rate_text(maker_ppm), "taker": rate_text(taker_ppm), "buyer": zero, "seller": zero}


def _my_trade(view: AccountView, found: Market, trade: TradeRow, unit: int) -> dict[str, object]:
    side = codes.BUY if trade.is_buyer else codes.SELL
    fee, fee_asset = commission(view, found, side, PaidFee(trade.fee_asset_id, trade.fee_atoms))
    return {
        "symbol": found.rules.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": found.price_text(trade.price_ticks),
        "qty": found.quantity_text(trade.quantity_lots),
        "quoteQty": found.quote.text(trade.quote_atoms),
        "commission": fee,
        "commissionAsset": fee_asset,
        "time": trade.time_ms * unit,
        "isBuyer": trade.is_buyer,
        "isMaker": trade.taker_side != side,
        "isBestMatch": True,
    }
