"""An auditor that believes nobody: it follows the events alone, with arithmetic of its own.

Money (I1 to I4), order states (I8), price-time priority (I9) and once-only ids (I11), event by event.
"""

from collections.abc import Callable

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY, LIMIT_MAKER, MARKET, SELL, STATE_WORKING
from exchange.contracts.events import (
    DepositCredited,
    Event,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import MarketFeesChanged, TradeExecutedWithDiscount
from exchange.contracts.filter_events import FilterChanged
from tests.simulation.model.books import Books
from tests.simulation.model.fees import ModelFees
from tests.simulation.model.filters import ModelFilters
from tests.simulation.model.order import ModelOrder
from tests.simulation.model.terms import terms_handlers
from tests.simulation.violations import require

__all__ = ["Model"]


class Model(Books):
    """Everybody's money and all books, as the events tell them."""

    def __init__(self) -> None:
        super().__init__()
        self._rates: dict[int, tuple[int, int]] = {}  # taker's and maker's fee in ppm, by market
        self.inflow: dict[int, int] = {}
        self.withdrawals: dict[int, WithdrawalReserved] = {}
        self.agreed = ModelFees(self)
        self._ids: set[tuple[str, int]] = set()
        self._trades: dict[int, int] = {}
        self.filters = ModelFilters(self)
        self._handlers: dict[type[Event], Callable[..., None]] = {
            MarketRegistered: self._market,
            MarketFeesChanged: self._market_fees,
            TradingModeChanged: self.filters.mode_changed,
            FilterChanged: self.filters.changed,
            OrderAccepted: self._accepted,
            TradeExecuted: self._trade,
            TradeExecutedWithDiscount: self._trade,
            OrderClosed: self._closed,
            DepositCredited: self._deposit,
            WithdrawalReserved: self._reserve,
            WithdrawalSettled: self._settle,
            WithdrawalReleased: self._release,
            **self.agreed.handlers,
        }
        of_terms, self._check_lists = terms_handlers(self, self.filters)
        self._handlers |= of_terms

    def apply(self, outcome: CommandOutcome) -> None:
        """Follow one command's events. Raises Violation."""
        self._takers.clear()
        for recorded in outcome.events:
            handler = self._handlers.get(type(recorded.event))
            if handler is not None:
                handler(recorded.event)
        self.finish_takers()
        self._check_lists()
        open_lists = {order.list_id for order in self.orders.values()}
        require(self.open_lists <= open_lists, "I8: a list without open orders is done")
        for asset_id, came_in in self.inflow.items():
            inside = sum(a + h for (_, asset), (a, h) in self.balances.items() if asset == asset_id)
            require(inside + self.fees.get(asset_id, 0) == came_in, f"I1: asset {asset_id} leaks")

    @property
    def trades(self) -> int:
        """How many there have been."""
        return sum(self._trades.values())

    # -- events ---------------------------------------------------------------------------------

    def _market(self, event: MarketRegistered) -> None:
        require(event.market_id not in self.markets, f"market {event.market_id} is registered twice")
        self.markets[event.market_id] = event
        self._rates[event.market_id] = (event.taker_fee_ppm, event.maker_fee_ppm)

    def _market_fees(self, event: MarketFeesChanged) -> None:
        require(event.market_id in self.markets, f"market {event.market_id} has fees and is none")
        self._rates[event.market_id] = (event.taker_fee_ppm, event.maker_fee_ppm)

    def _accepted(self, event: OrderAccepted) -> None:
        market = self.markets[event.market_id]
        by_quote = event.quote_quantity_atoms > 0
        if event.side == SELL and not by_quote:
            require(event.held_atoms == event.quantity_lots * market.lot_atoms, "I3: a seller's hold")
        elif event.side == BUY and event.order_type != MARKET:
            cost = event.price_ticks * event.quantity_lots * market.notional_unit_atoms
            require(event.held_atoms == cost, "I3: a buyer's hold")
        order = self.take_in(event)
        self.filters.check(order)
        self.begin(order)

    def _trade(self, event: TradeExecuted) -> None:
        market = self.markets[event.market_id]
        taker_buys = event.taker_side == BUY
        ids = (event.buyer_order_id, event.seller_order_id)
        found = [t for t in self._takers if t.accepted.order_id == (ids[0] if taker_buys else ids[1])]
        require(len(found) == 1, "I8: a trade needs a taker")
        (taker,) = found
        require(event.taker_side == taker.accepted.side, "I8: the taker's side")
        maker = self.best(event.market_id, SELL if taker_buys else BUY)
        require(maker is not None, "I9: nobody rests there")
        assert maker is not None
        wanted = (taker, maker) if taker_buys else (maker, taker)
        require(ids == tuple(o.accepted.order_id for o in wanted), "I9: price, then time")
        require(event.price_ticks == maker.price_ticks, "I9: the maker's price")
        limit, price, lots = taker.price_ticks, event.price_ticks, event.quantity_lots
        within = not limit or (price <= limit if taker_buys else price >= limit)
        require(within, "I9: the taker's limit")
        require(taker.accepted.order_type != LIMIT_MAKER, "I8: a maker-only order takes")
        require(lots <= min(taker.open_lots, maker.shown_lots), "I8: as much as both have")
        # A buyer at any price that has waited buys no more than its hold pays; the rest expires.
        may_take_less = taker.state != STATE_WORKING and not taker.price_ticks and taker_buys
        full = lots == min(taker.open_lots, maker.shown_lots)
        require(full or may_take_less, "I8: as much as both have")
        trade_id = self._trades.get(event.market_id, 0) + 1
        require(event.trade_id == trade_id, "I4: trade ids count up")
        self._trades[event.market_id] = trade_id
        self.prices.setdefault(event.market_id, []).append(event.price_ticks)
        self._settle_trade(event, market, *wanted)
        maker.shown_lots -= lots
        for order in wanted:
            order.open_lots -= lots
            if order.open_lots == 0:
                require(order.held == 0, "I3: a filled order holds nothing")
                self.forget(order)

    def _settle_trade(
        self, event: TradeExecuted, market: MarketRegistered, buyer: ModelOrder, seller: ModelOrder
    ) -> None:
        base = event.quantity_lots * market.lot_atoms
        quote = event.price_ticks * event.quantity_lots * market.notional_unit_atoms
        require((event.base_atoms, event.quote_atoms) == (base, quote), "I4: what is traded")
        limit = buyer.price_ticks
        saved = (limit - event.price_ticks) * event.quantity_lots * market.notional_unit_atoms if limit else 0
        require(event.buyer_released_atoms == saved, "I3: what a better price saves")
        owners = (buyer.accepted.user_id, seller.accepted.user_id)
        require((event.buyer_user_id, event.seller_user_id) == owners, "I4: whose trade it is")
        buyer.bought += base
        buyer.bought_fees += event.buyer_fee_atoms + self._discounted_in(market.base_asset_id, event)
        buyer.held -= quote + saved
        seller.held -= base
        self.move(owners[0], market.quote_asset_id, saved, -quote - saved)
        self.move(owners[1], market.base_asset_id, 0, -base)
        self.agreed.take(event, self._rates[event.market_id])

    @staticmethod
    def _discounted_in(asset_id: int, event: TradeExecuted) -> int:
        """What the buyer has paid in this asset because it is the discount asset."""
        if not isinstance(event, TradeExecutedWithDiscount) or event.discount_asset_id != asset_id:
            return 0
        trades_with_oneself = event.seller_user_id == event.buyer_user_id
        return event.buyer_discount_fee_atoms + event.seller_discount_fee_atoms * trades_with_oneself

    def _closed(self, event: OrderClosed) -> None:
        order = self.orders.get(event.order_id)
        require(order is not None, f"I8: order {event.order_id} is not open")
        assert order is not None
        require(event.user_id == order.accepted.user_id, "I8: whose order it is")
        require(event.released_atoms == order.held, f"I3: order {event.order_id} releases its hold")
        require(event.unbooked_lots == (order.shown_lots if order.rests else 0), "I5: what leaves the book")
        self.move(event.user_id, self.pays(order), order.held, -order.held)
        self.forget(order)

    def _deposit(self, event: DepositCredited) -> None:
        self._once("deposit", event.deposit_id)
        self.move(event.user_id, event.asset_id, event.amount_atoms, 0)
        self.inflow[event.asset_id] = self.inflow.get(event.asset_id, 0) + event.amount_atoms

    def _reserve(self, event: WithdrawalReserved) -> None:
        self._once("withdrawal", event.withdrawal_id)
        self.withdrawals[event.withdrawal_id] = event
        self.move(event.user_id, event.asset_id, -event.amount_atoms, event.amount_atoms)

    def _settle(self, event: WithdrawalSettled) -> None:
        reserved = self.withdrawals.pop(event.withdrawal_id)
        require(event.amount_atoms == reserved.amount_atoms, "I3: a withdrawal's amount")
        self.move(reserved.user_id, reserved.asset_id, 0, -event.amount_atoms)
        self.inflow[reserved.asset_id] -= event.amount_atoms

    def _release(self, event: WithdrawalReleased) -> None:
        reserved = self.withdrawals.pop(event.withdrawal_id)
        require(event.amount_atoms == reserved.amount_atoms, "I3: a withdrawal's amount")
        self.move(reserved.user_id, reserved.asset_id, event.amount_atoms, -event.amount_atoms)

    # -- rules ----------------------------------------------------------------------------------

    def _once(self, kind: str, identifier: int) -> None:
        require((kind, identifier) not in self._ids, f"I11: {kind} {identifier} took effect twice")
        self._ids.add((kind, identifier))
