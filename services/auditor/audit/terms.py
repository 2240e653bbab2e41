"""What events of orders with terms say, and what they may not say (ADR 0037). Pure."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderAmended,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)
from services.auditor.audit.orders import PAYING, OrdersAudit
from services.auditor.audit.scope import AuditScope
from services.auditor.audit.state import Order, OrderList

__all__ = ["TermsAudit"]

_STATES: Final = (codes.STATE_WORKING, codes.STATE_WAITING, codes.STATE_PENDING)
_BIPS: Final = 10_000


class TermsAudit:
    """Orders that wait, hide lots, change, or stand in lists."""

    def __init__(self, scope: AuditScope, orders: OrdersAudit) -> None:
        self._scope = scope
        self._state = scope.state
        self._breach = scope.breach
        self._orders = orders

    def accepted(self, event: OrderWithTermsAccepted) -> None:
        """A new order with terms takes its hold; only one that works may have a place on the book."""
        order = self._orders.accept_with_terms(event)
        if order is None:
            return
        order.state = event.state
        order.stop_price_ticks, order.trailing_bips = event.stop_price_ticks, event.trailing_bips
        order.iceberg_lots = event.iceberg_lots
        order.seq = self._scope.seq
        name = f"order {event.order_id}"
        waits = event.order_type in codes.TRIGGERED_TYPE_NAMES
        is_next = event.state == (codes.STATE_WAITING if waits else codes.STATE_WORKING)
        if not is_next and event.state != codes.STATE_PENDING:
            self._breach("I8", f"{name} of type {event.order_type} is accepted in state {event.state}")
        if waits != (event.stop_price_ticks > 0 or event.trailing_bips > 0):
            self._breach("I8", f"{name} of type {event.order_type} has the wrong trigger")
        if event.state != codes.STATE_WORKING and event.resting_lots:
            self._breach("I8", f"{name} does not work and leaves {event.resting_lots} lots on the book")
        if event.state == codes.STATE_PENDING and event.held_atoms:
            self._breach("I3", f"{name} is pending and holds {event.held_atoms}")
        if event.iceberg_lots and event.quantity_lots and event.iceberg_lots >= event.quantity_lots:
            self._breach("I8", f"{name} of {event.quantity_lots} lots shows {event.iceberg_lots}")
        if event.order_list_id:
            self._join(order, event)

    def _join(self, order: Order, event: OrderWithTermsAccepted) -> None:
        order_list = self._state.order_lists.get(event.order_list_id)
        if order_list is None or order_list.user_id != event.user_id:
            self._breach("I8", f"order {event.order_id} stands in list {event.order_list_id}, which is none")
            return
        order.order_list_id = event.order_list_id
        leaves_open = order_list.contingency in PAYING and len(order_list.order_ids) > 0
        if leaves_open != (event.quantity_lots == 0):
            self._breach("I8", f"order {event.order_id} has {event.quantity_lots} lots in such a list")
        order_list.order_ids.append(order.order_id)

    def list_placed(self, event: OrderListPlaced) -> None:
        """A list begins."""
        state = self._state
        if event.order_list_id <= state.last_order_list_id:
            self._breach("I8", f"list id {event.order_list_id} after {state.last_order_list_id}")
        state.last_order_list_id = max(state.last_order_list_id, event.order_list_id)
        if event.contingency not in codes.CONTINGENCY_NAMES:
            self._breach("I8", f"list {event.order_list_id} of contingency {event.contingency}")
        state.order_lists[event.order_list_id] = OrderList(
            event.order_list_id, event.user_id, event.market_id, event.contingency
        )

    def list_done(self, event: OrderListDone) -> None:
        """A list ends: of its orders one may be open, and nothing may be pending."""
        order_list = self._state.order_lists.pop(event.order_list_id, None)
        if order_list is None:
            self._breach("I8", f"list {event.order_list_id} is done, but is not open")
            return
        open_orders = [self._state.orders[n] for n in order_list.order_ids if n in self._state.orders]
        for order in open_orders:
            order.order_list_id = 0
        if len(open_orders) > 1 or any(order.state == codes.STATE_PENDING for order in open_orders):
            self._breach("I8", f"list {event.order_list_id} is done and leaves {len(open_orders)} orders")

    def triggered(self, event: OrderTriggered) -> None:
        """A waiting order works: for a reason, and with what it needs."""
        self._orders.settle()
        order = self._open_order("triggered", event.order_id, event.user_id, event.market_id, event.side)
        if order is None:
            return
        name = f"order {event.order_id}"
        if order.state != codes.STATE_WAITING:
            self._breach("I8", f"{name} was triggered in state {order.state}")
        self._check_trigger(order, event)
        order.state = codes.STATE_WORKING
        order.price_ticks = event.price_ticks
        order.holds_as_told = order.side == codes.BUY and not event.price_ticks
        self._move(order, event.held_atoms, event.released_atoms)
        self._orders.begin(order, event.resting_lots)

    def _check_trigger(self, order: Order, event: OrderTriggered) -> None:
        """A stop order is triggered at its stop price; some trade since it waits has been there."""
        name, trigger = f"order {event.order_id}", event.trigger_price_ticks
        if not order.trailing_bips and trigger != order.stop_price_ticks:
            self._breach("I8", f"{name} waited for {order.stop_price_ticks}, was triggered at {trigger}")
        low, high = order.market.range_since(order.seq)
        rises = order.side == codes.BUY if order.trailing_bips else _rises(order)
        if not (trigger <= high if rises else trigger >= low > 0):
            self._breach("I8", f"{name} was triggered at {trigger}, trades were between {low} and {high}")
        if order.trailing_bips:
            self._check_trail(order, trigger, low, high)

    def _check_trail(self, order: Order, trigger: int, low: int, high: int) -> None:
        """The trigger is as far from what was traded as the order says."""
        first = order.extreme_ticks
        buys = order.side == codes.BUY
        lowest, highest = min(low, first or low), max(high, first)
        nearest = _trail(buys, lowest if buys else highest, order.trailing_bips)
        if trigger < nearest if buys else trigger > nearest:
            self._breach("I8", f"order {order.order_id} trails to {trigger}, nearer than {nearest}")

    def trailing_started(self, event: TrailingStarted) -> None:
        """An order's stop price was reached: it follows the price from the last trade on."""
        order = self._state.orders.get(event.order_id)
        if order is None or order.state != codes.STATE_WAITING or not order.trailing_bips:
            self._breach("I8", f"order {event.order_id} cannot follow the price")
            return
        if event.price_ticks != order.market.last_price_ticks:
            self._breach("I8", f"order {event.order_id} begins to follow at {event.price_ticks}")
        order.extreme_ticks, order.seq = event.price_ticks, self._scope.seq

    def pending_placed(self, event: PendingOrderPlaced) -> None:
        """A pending order works or waits, and holds from now on."""
        self._orders.settle()
        order = self._open_order("placed", event.order_id, event.user_id, event.market_id, event.side)
        if order is None:
            return
        is_due = order.state == codes.STATE_PENDING and order.quantity_lots > 0
        if not is_due or event.state not in _STATES[:2]:
            self._breach("I8", f"order {event.order_id} was placed from {order.state} to {event.state}")
        waits = order.order_type in codes.TRIGGERED_TYPE_NAMES
        if waits != (event.state == codes.STATE_WAITING):
            self._breach("I8", f"order {event.order_id} of type {order.order_type} is {event.state} now")
        order.state, order.price_ticks, order.seq = event.state, event.price_ticks, self._scope.seq
        order.extreme_ticks = order.market.last_price_ticks
        order.holds_as_told = waits or (order.side == codes.BUY and not event.price_ticks)
        self._move(order, event.held_atoms, 0)
        if event.state == codes.STATE_WORKING:
            self._orders.begin(order, event.resting_lots)
        elif event.resting_lots:
            self._breach("I8", f"order {event.order_id} waits and leaves {event.resting_lots} lots")

    def pending_funded(self, event: PendingOrderFunded) -> None:
        """What an OPO's working order bought is kept for its pending ones, and becomes their quantity."""
        order = self._open_order("funded", event.order_id, event.user_id, event.market_id, event.side)
        if order is None:
            return
        name = f"order {event.order_id}"
        order_list = self._state.order_lists.get(order.order_list_id)
        if order.state != codes.STATE_PENDING or order_list is None or order_list.contingency not in PAYING:
            self._breach("I8", f"{name} is no pending order that another pays")
            return
        if event.quantity_lots:
            self._take_quantity(order, order_list, event)
        else:
            base, fee = self._scope.bought.pop(order_list.order_list_id, (0, 0))
            is_first = order_list.order_ids[1] == order.order_id
            if not base - fee <= event.held_atoms <= base or not is_first or event.released_atoms:
                self._breach("I3", f"{name} keeps {event.held_atoms} of {base} bought for a fee of {fee}")
        self._move(order, event.held_atoms, event.released_atoms)

    def _take_quantity(self, order: Order, order_list: OrderList, event: PendingOrderFunded) -> None:
        lots, first = event.quantity_lots, self._state.orders.get(order_list.order_ids[1])
        kept = 0 if first is None else first.hold_atoms - (event.released_atoms if order is first else 0)
        if order_list.order_ids[0] in self._state.orders or order.quantity_lots:
            self._breach("I8", f"order {order.order_id} takes its quantity out of its turn")
        if event.held_atoms or kept != lots * order.market.lot_atoms:
            self._breach("I3", f"order {order.order_id} of {lots} lots is paid by {kept}")
        if order.iceberg_lots >= lots:
            self._breach("I8", f"order {order.order_id} of {lots} lots shows {order.iceberg_lots}")
        order.quantity_lots = order.open_lots = lots

    def refilled(self, event: IcebergRefilled) -> None:
        """An iceberg shows its next slice: no sooner, and no more."""
        order = self._open_order("refilled", event.order_id, event.user_id, event.market_id, event.side)
        if order is None:
            return
        self._scope.hidden.pop(order.order_id, None)
        shown = min(order.iceberg_lots, order.open_lots)
        if order.shown_lots or event.displayed_lots != shown or event.price_ticks != order.price_ticks:
            self._breach("I8", f"order {event.order_id} shows {event.displayed_lots} lots more, not {shown}")
        order.shown_lots = event.displayed_lots
        self._orders.change_level(order.market, order.side, order.price_ticks, event.displayed_lots)

    def amended(self, event: OrderAmended) -> None:
        """An order is smaller, its hidden lots first; what it need not hold any more is given back."""
        order = self._open_order("amended", event.order_id, event.user_id, event.market_id, event.side)
        if order is None:
            return
        cut = order.quantity_lots - event.quantity_lots
        if not 0 < cut < order.open_lots:
            self._breach("I8", f"order {event.order_id} of {order.open_lots} open lots lost {cut}")
        unbooked = 0
        if order.is_resting:
            unbooked = max(0, cut - (order.open_lots - order.shown_lots))
        if event.unbooked_lots != unbooked:
            self._breach("I8", f"order {event.order_id} took {event.unbooked_lots} lots off, not {unbooked}")
        if event.unbooked_lots:
            self._orders.change_level(order.market, order.side, order.price_ticks, -event.unbooked_lots)
        order.shown_lots -= unbooked
        order.quantity_lots -= cut
        order.open_lots -= cut
        self._rename(order, event.client_order_id)
        self._move(order, 0, event.released_atoms)

    def _rename(self, order: Order, name: str) -> None:
        names = self._state.names_of(order.user_id)
        if name == order.client_order_id:
            return
        if name in names:
            self._breach("I11", f"user {order.user_id} has {name!r} open twice")
        names.pop(order.client_order_id, None)
        order.client_order_id = name
        names[name] = order

    def decremented(self, event: SelfTradeDecremented) -> None:
        """Two orders of one user lose the same lots, and what they held for them."""
        taker = self._state.orders.get(event.taker_order_id)
        maker = self._state.orders.get(event.maker_order_id)
        if taker is None or maker is None:
            self._breach("I8", f"order {event.taker_order_id} met {event.maker_order_id}: one is not open")
            return
        lots = min(taker.open_lots, maker.shown_lots)
        # A buyer at any price that has waited takes no more than its hold pays: it may meet with less.
        may_be_less = taker.side == codes.BUY and taker.order_type in (codes.STOP_LOSS, codes.TAKE_PROFIT)
        is_true = (
            taker.user_id == maker.user_id == event.user_id
            and taker.market is maker.market
            and taker.side == event.taker_side == 3 - maker.side
            and maker.price_ticks == event.price_ticks
            and maker.is_resting
            and not taker.is_resting
            and (event.prevented_lots == lots or (may_be_less and 0 < event.prevented_lots < lots))
        )
        if not is_true:
            self._breach("I8", f"orders {taker.order_id} and {maker.order_id} cannot have met like this")
        self._orders.change_level(maker.market, maker.side, maker.price_ticks, -event.prevented_lots)
        maker.shown_lots -= event.prevented_lots
        for order, released in ((taker, event.taker_released_atoms), (maker, event.maker_released_atoms)):
            order.open_lots -= event.prevented_lots
            self._move(order, 0, released)
        if maker.open_lots and not maker.shown_lots:
            self._scope.hidden[maker.order_id] = maker

    def _open_order(self, what: str, order_id: int, user_id: int, market_id: int, side: int) -> Order | None:
        order = self._state.orders.get(order_id)
        if order is None or (order.user_id, order.market.market_id, order.side) != (user_id, market_id, side):
            self._breach("I8", f"order {order_id} was {what}, but is not open")
            return None
        return order

    def _move(self, order: Order, held_atoms: int, released_atoms: int) -> None:
        """Money between available and held; what the order is to hold follows by rule, or is as told."""
        pays, before = order.pays, order.hold_atoms
        moved = held_atoms - released_atoms
        pays.held += moved
        pays.available -= moved
        order.hold_atoms = before + moved if self._holds_as_told(order) else self._orders.hold_by_rule(order)
        pays.explained += order.hold_atoms - before
        self._scope.touched.append(pays)

    def _holds_as_told(self, order: Order) -> bool:
        # The legs of an OCO hold together, which each of them alone does not tell.
        return order.holds_as_told or (order.order_list_id > 0 and order.state != codes.STATE_WORKING)


def _rises(order: Order) -> bool:
    stops_loss = order.order_type in (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT)
    return stops_loss if order.side == codes.BUY else not stops_loss


def _trail(buys: bool, extreme_ticks: int, bips: int) -> int:
    if buys:
        return -(-extreme_ticks * (_BIPS + bips) // _BIPS)
    return extreme_ticks * (_BIPS - bips) // _BIPS
