"""What events of orders and trades say, and what they may not say. Pure."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.order_events import OrderWithTermsAccepted
from services.auditor.audit.fees import FeesAudit, fee_in_base, name_of
from services.auditor.audit.scope import AuditScope
from services.auditor.audit.state import Market, Order

__all__ = ["PAYING", "OrdersAudit"]

_TYPES: Final = codes.ORDER_TYPE_NAMES.keys() | codes.TRIGGERED_TYPE_NAMES.keys()
# Lists whose pending orders sell what the working one buys (ADR 0046).
PAYING: Final = (codes.CONTINGENCY_OPO, codes.CONTINGENCY_OPOCO)


class OrdersAudit:
    """Orders, trades, holds and books."""

    def __init__(self, scope: AuditScope, fees: FeesAudit) -> None:
        self._scope = scope
        self._fees = fees
        self._state = scope.state
        self._breach = scope.breach

    def order_accepted(self, event: OrderAccepted) -> None:
        """A new order takes its hold, and its announced lots their place on the book."""
        market = self._state.markets.get(event.market_id)
        if market is None:
            self._breach("I8", f"order {event.order_id} in market {event.market_id}, which does not exist")
            return
        order = self._new_order(
            market,
            event.order_id,
            event.user_id,
            event.client_order_id,
            event.side,
            event.order_type,
            event.time_in_force,
            event.price_ticks,
            event.quantity_lots,
        )
        by_quote_atoms: int = event.quote_quantity_atoms
        held_atoms: int = event.held_atoms
        price_fits = (order.price_ticks == 0) == _takes_any_price(order.order_type)
        self._check_acceptance(order, price_fits and order.quantity_lots > 0, by_quote_atoms, held_atoms)
        order.holds_as_told = _holds_as_told(order, by_quote_atoms)
        self._keep(order, held_atoms)
        self.begin(order, event.resting_lots)

    def accept_with_terms(self, event: OrderWithTermsAccepted) -> Order | None:
        """Take in an order with terms, which works only in that state; None if it cannot be one."""
        market = self._state.markets.get(event.market_id)
        if market is None:
            self._breach("I8", f"order {event.order_id} in market {event.market_id}, which does not exist")
            return None
        order = self._new_order(
            market,
            event.order_id,
            event.user_id,
            event.client_order_id,
            event.side,
            event.order_type,
            event.time_in_force,
            event.price_ticks,
            event.quantity_lots,
        )
        has_lots = event.quantity_lots > 0 or _leaves_quantity_open(event)
        is_sound = has_lots and _price_fits(event)
        self._check_acceptance(order, is_sound, event.quote_quantity_atoms, event.held_atoms)
        works = event.state == codes.STATE_WORKING
        order.holds_as_told = not works or _holds_as_told(order, event.quote_quantity_atoms)
        self._keep(order, event.held_atoms)
        if works:
            self.begin(order, event.resting_lots)
        return order

    def _new_order(
        self,
        market: Market,
        order_id: int,
        user_id: int,
        name: str,
        side: int,
        order_type: int,
        time_in_force: int,
        price_ticks: int,
        quantity_lots: int,
    ) -> Order:
        return Order(
            order_id,
            user_id,
            market,
            name,
            side,
            order_type,
            time_in_force,
            price_ticks,
            quantity_lots,
            self._state.trader(user_id, market),
        )

    def _keep(self, order: Order, held_atoms: int) -> None:
        """A new order holds its money, and is open."""
        state, pays = self._state, order.pays
        # What the book would cost stands in the event alone; its trades must use it up.
        order.hold_atoms = held_atoms if order.holds_as_told else self.hold_by_rule(order)
        pays.available -= held_atoms
        pays.held += held_atoms
        pays.explained += order.hold_atoms
        self._scope.touched.append(pays)
        state.orders[order.order_id] = order
        names, name = state.names_of(order.user_id), order.client_order_id
        if names.setdefault(name, order) is not order:
            self._breach("I11", f"user {order.user_id} has {name!r} open twice")
            names[name] = order

    def begin(self, order: Order, resting_lots: int) -> None:
        """An order begins to work; what the event says it leaves on the book stands there from now on."""
        order.resting_lots = resting_lots
        self._scope.accepted.append(order)
        if resting_lots:
            self.change_level(order.market, order.side, order.price_ticks, resting_lots)

    def settle(self) -> None:
        """I8: the orders that worked so far have ended, or left on the book what was announced."""
        for order in self._scope.accepted:
            if not order.is_open:
                if order.resting_lots:
                    self._breach("I8", f"order {order.order_id} ended and left {order.resting_lots} lots")
                continue
            order.is_resting = True
            iceberg, left = order.iceberg_lots, order.open_lots
            order.shown_lots = min(iceberg, left) if iceberg else left
            if order.resting_lots != order.shown_lots:
                self._breach(
                    "I8",
                    f"order {order.order_id} rests {order.resting_lots} lots, {order.shown_lots} are to",
                )
            if not order.price_ticks or order.time_in_force != codes.GTC:
                self._breach("I8", f"order {order.order_id} may not rest, but does")
        self._scope.accepted.clear()

    def _check_acceptance(self, order: Order, is_sound: bool, by_quote_atoms: int, held_atoms: int) -> None:
        """`is_sound`: its price and quantity are such as its type has."""
        state, market, order_id = self._state, order.market, order.order_id
        if order_id <= state.last_order_id:
            self._breach("I8", f"order id {order_id} after {state.last_order_id}")
        else:
            state.last_order_id = order_id
        if not is_sound or order.side not in (codes.BUY, codes.SELL) or order.order_type not in _TYPES:
            self._breach("I8", f"order {order_id} is none: see its side, type, price and quantity")
        if by_quote_atoms and order.side == codes.BUY and held_atoms > by_quote_atoms:
            self._breach("I3", f"order {order_id} holds more than it may spend")
        if market.mode != codes.MODE_TRADING and (
            market.mode != codes.MODE_POST_ONLY or order.order_type != codes.LIMIT_MAKER
        ):
            self._breach("I8", f"order {order_id} in {market.symbol}, whose mode is {market.mode}")

    def trade_executed(self, event: TradeExecuted) -> None:
        """Lots and money change hands; each figure follows from the others and from the two orders."""
        state = self._state
        market = state.markets.get(event.market_id)
        if market is None:
            self._breach("I8", f"{name_of(event)} in a market that does not exist")
            return
        trade_id: int = event.trade_id
        if trade_id != market.last_trade_id + 1:
            self._breach("I4", f"{name_of(event)} after trade {market.last_trade_id}")
        market.last_trade_id = trade_id
        buyer, seller = state.orders.get(event.buyer_order_id), state.orders.get(event.seller_order_id)
        if buyer is None or seller is None:
            self._breach("I8", f"{name_of(event)} of orders that are not open")
            return
        lots: int = event.quantity_lots
        price: int = event.price_ticks
        base: int = event.base_atoms
        quote: int = event.quote_atoms
        if base != lots * market.lot_atoms or quote != lots * price * market.unit_atoms:
            self._breach("I4", f"{name_of(event)}: {base} for {quote} is not {lots} lots at {price}")
        taker_buys = event.taker_side == codes.BUY
        maker = seller if taker_buys else buyer
        self._check_sides(event, market, buyer, seller)
        self._check_match(event, buyer if taker_buys else seller, maker, lots, price)
        maker_side = market.asks if taker_buys else market.bids
        if maker_side.best() != price:
            self._breach("I9", f"{name_of(event)} at {price}, the best price is {maker_side.best()}")
        self._move_money(event, market, buyer, seller, base, quote)
        self.change_level(market, maker.side, price, -lots)
        market.record(self._scope.seq, price)
        self._fees.check(event, market)
        if isinstance(event, TradeExecutedWithDiscount):
            self._fees.pay(event)
        maker.shown_lots -= lots
        if buyer.order_list_id:
            self._note_purchase(buyer, base, fee_in_base(event, market.base.asset_id))
        self._fill(buyer, lots, quote, event)
        self._fill(seller, lots, quote, event)
        if maker.open_lots > 0 and maker.shown_lots == 0:
            self._scope.hidden[maker.order_id] = maker

    def _move_money(
        self, event: TradeExecuted, market: Market, buyer: Order, seller: Order, base: int, quote: int
    ) -> None:
        """As the docstring of the event says."""
        released: int = event.buyer_released_atoms
        buyer_fee: int = event.buyer_fee_atoms
        seller_fee: int = event.seller_fee_atoms
        touched = self._scope.touched
        pays, gets = buyer.pays, buyer.gets
        pays.held -= quote + released
        pays.available += released
        gets.available += base - buyer_fee
        touched.append(pays)
        touched.append(gets)
        pays, gets = seller.pays, seller.gets
        pays.held -= base
        gets.available += quote - seller_fee
        touched.append(pays)
        touched.append(gets)
        market.base.fees += buyer_fee
        market.quote.fees += seller_fee

    def _check_sides(self, event: TradeExecuted, market: Market, buyer: Order, seller: Order) -> None:
        is_true = (
            buyer.market is market
            and seller.market is market
            and buyer.side == codes.BUY
            and seller.side == codes.SELL
            and buyer.user_id == event.buyer_user_id
            and seller.user_id == event.seller_user_id
        )
        if not is_true:
            self._breach("I4", f"{name_of(event)} does not fit its orders")
        price: int = event.price_ticks
        if (buyer.price_ticks and price > buyer.price_ticks) or price < seller.price_ticks:
            self._breach("I4", f"{name_of(event)} at {price} is beyond the limit of an order")

    def _check_match(self, event: TradeExecuted, taker: Order, maker: Order, lots: int, price: int) -> None:
        if not maker.is_resting or taker.is_resting or taker.order_type == codes.LIMIT_MAKER:
            name = name_of(event)
            self._breach("I8", f"{name}: order {maker.order_id} cannot be the maker of {taker.order_id}")
        if maker.price_ticks != price:
            self._breach("I4", f"{name_of(event)} at {price}, the maker's price is {maker.price_ticks}")
        if lots <= 0 or lots > taker.open_lots or lots > maker.shown_lots:
            name = name_of(event)
            self._breach("I8", f"{name} of {lots} lots, open are {taker.open_lots} and {maker.shown_lots}")

    def _note_purchase(self, buyer: Order, base_atoms: int, fee_atoms: int) -> None:
        """What the working order of an OPO buys is to be kept before the outcome ends."""
        order_list = self._state.order_lists.get(buyer.order_list_id)
        if order_list is None or order_list.contingency not in PAYING or buyer.state != codes.STATE_WORKING:
            return
        if order_list.order_ids[0] != buyer.order_id:
            return
        base, fee = self._scope.bought.get(order_list.order_list_id, (0, 0))
        self._scope.bought[order_list.order_list_id] = (base + base_atoms, fee + fee_atoms)

    def _fill(self, order: Order, lots: int, quote_atoms: int, event: TradeExecuted) -> None:
        """Less is open, so less is to be held; a filled order is forgotten."""
        order.open_lots -= lots
        before = order.hold_atoms
        if order.holds_as_told:
            spent = quote_atoms if order.side == codes.BUY else lots * order.market.lot_atoms
            order.hold_atoms = before - spent
        else:
            order.hold_atoms = self.hold_by_rule(order)
        order.pays.explained += order.hold_atoms - before
        if order.open_lots <= 0:
            if order.hold_atoms:
                name, left = name_of(event), order.hold_atoms
                self._breach("I3", f"{name} filled order {order.order_id}, which holds {left}")
            self._forget(order)

    def order_closed(self, event: OrderClosed) -> None:
        """An open order gives back its hold and leaves the book."""
        order = self._state.orders.get(event.order_id)
        if order is None:
            self._breach("I8", f"order {event.order_id} was closed, but is not open")
            return
        is_true = (
            order.user_id == event.user_id
            and order.market.market_id == event.market_id
            and order.side == event.side
            and order.price_ticks == event.price_ticks
        )
        if not is_true:
            self._breach("I8", f"order {event.order_id} was closed as another than it is")
        if event.status not in (codes.CANCELED, codes.EXPIRED, codes.EXPIRED_IN_MATCH):
            self._breach("I8", f"order {event.order_id} was closed with status {event.status}")
        released: int = event.released_atoms
        unbooked: int = event.unbooked_lots
        if unbooked != (order.shown_lots if order.is_resting else 0):
            due = order.shown_lots if order.is_resting else 0
            self._breach("I8", f"order {event.order_id} left {unbooked} lots, not {due}")
        if unbooked:
            self.change_level(order.market, order.side, order.price_ticks, -unbooked)
        if self._scope.hidden:
            self._scope.hidden.pop(order.order_id, None)
        pays = order.pays
        pays.held -= released
        pays.available += released
        pays.explained -= order.hold_atoms
        self._scope.touched.append(pays)
        self._forget(order)

    def hold_by_rule(self, order: Order) -> int:
        """A BUY holds the quote of its open lots at its price, a SELL their base."""
        if order.side == codes.BUY:
            return order.price_ticks * order.open_lots * order.market.unit_atoms
        return order.open_lots * order.market.lot_atoms

    def _forget(self, order: Order) -> None:
        order.is_open = False
        orders, names = self._state.orders, self._state.names_of(order.user_id)
        if order.order_id in orders:
            del orders[order.order_id]
        if order.client_order_id in names:
            del names[order.client_order_id]

    def change_level(self, market: Market, side: int, price_ticks: int, lots: int) -> None:
        """Lots come to a level of the book, or leave it."""
        if not market.side(side).change(price_ticks, lots):
            self._breach("I6", f"{market.symbol}: less than nothing at {price_ticks} on side {side}")
        markets = self._scope.markets
        if not markets or markets[-1] is not market:
            markets.append(market)


def _price_fits(event: OrderWithTermsAccepted) -> bool:
    """A price where the type wants one; a pegged order has it once it works."""
    if event.peg_price_type:
        return (event.price_ticks > 0) == (event.state == codes.STATE_WORKING)
    return (event.price_ticks == 0) == _takes_any_price(event.order_type)


def _takes_any_price(order_type: int) -> bool:
    return order_type in (codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT)


def _leaves_quantity_open(event: OrderWithTermsAccepted) -> bool:
    """Whether it sells what the working order of its list buys; which lists may do so, `TermsAudit` knows."""
    return event.state == codes.STATE_PENDING and event.side == codes.SELL and event.quantity_lots == 0


def _holds_as_told(order: Order, by_quote_atoms: int) -> bool:
    """Whether the hold is what the book would cost or give, not what price and quantity say."""
    return not order.price_ticks and (order.side == codes.BUY or by_quote_atoms > 0)
