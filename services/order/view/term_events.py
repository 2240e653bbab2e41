"""What events of orders with terms and of order lists do to a view (contracts/order_events). Pure."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

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
from exchange.trading.trailing import follows_at_once
from services.order.view.records import NOT_YET_MS, OrderListRecord, OrderRecord, OrderTerms, accepted_order

__all__ = ["OrderLists", "Orders", "TermEvents"]


class Orders(Protocol):
    """What is done to a view's orders and balances."""

    def add_open_order(self, order: OrderRecord) -> None:
        """Put an open order under all its indexes."""
        ...

    def open_order(self, order_id: int) -> OrderRecord:
        """An order that is open. Raises KeyError."""
        ...

    def rename(self, order: OrderRecord, client_order_id: str, seq: int) -> None:
        """Give an open order another name; the old one is remembered under the event's seq."""
        ...

    def hold(self, order: OrderRecord, held_atoms: int, seq: int, time_ms: int) -> None:
        """Move money to an order's hold; negative: back."""
        ...

    def touch(self, user_id: int, seq: int) -> None:
        """Something was told of a user."""
        ...


class OrderLists:
    """The lists that are open, and the newest of those that are done."""

    def __init__(self, done_max: int) -> None:
        self._done_max = done_max
        self._open: dict[int, OrderListRecord] = {}
        self._done: OrderedDict[int, OrderListRecord] = OrderedDict()
        self._by_name: dict[tuple[int, str], OrderListRecord] = {}

    def get(self, order_list_id: int) -> OrderListRecord | None:
        """A list that is open or was so lately, whoever owns it."""
        return self._open.get(order_list_id) or self._done.get(order_list_id)

    def by_name(self, user_id: int, list_client_order_id: str) -> OrderListRecord | None:
        """A user's newest list of that name, if it is open or was so lately."""
        return self._by_name.get((user_id, list_client_order_id))

    def open_of(self, user_id: int) -> list[OrderListRecord]:
        """A user's open lists by id."""
        return [one for one in self._open.values() if one.user_id == user_id]

    def add(self, one: OrderListRecord) -> None:
        """An open list."""
        self._open[one.order_list_id] = one
        self._by_name[(one.user_id, one.list_client_order_id)] = one

    def end(self, order_list_id: int, time_ms: int) -> None:
        """It is done. Raises KeyError."""
        one = self._open.pop(order_list_id)
        one.done_ms = time_ms
        self._done[order_list_id] = one
        if len(self._done) > self._done_max:
            _, oldest = self._done.popitem(last=False)
            key = (oldest.user_id, oldest.list_client_order_id)
            if self._by_name.get(key) is oldest:
                del self._by_name[key]


class TermEvents:
    """Applies them. `appliers`: for each kind of event (event, seq, time_ms); they raise KeyError."""

    def __init__(self, orders: Orders, lists: OrderLists) -> None:
        self._orders = orders
        self._lists = lists
        self.appliers: dict[type, Callable[..., None]] = {
            OrderWithTermsAccepted: self._accepted,
            OrderTriggered: self._triggered,
            PendingOrderPlaced: self._pending_placed,
            PendingOrderFunded: self._pending_funded,
            TrailingStarted: self._trailing_started,
            IcebergRefilled: self._refilled,
            OrderAmended: self._amended,
            SelfTradeDecremented: self._decremented,
            OrderListPlaced: self._list_placed,
            OrderListDone: self._list_done,
        }

    def _accepted(self, event: OrderWithTermsAccepted, seq: int, time_ms: int) -> None:
        follows = follows_at_once(event.state, event.trailing_bips, event.stop_price_ticks)
        terms = OrderTerms(
            event.order_list_id,
            event.state,
            event.stop_price_ticks,
            event.trailing_bips,
            time_ms if follows else NOT_YET_MS,
            event.iceberg_lots,
            event.strategy_id,
            event.strategy_type,
            event.peg_price_type,
            event.peg_offset_levels,
        )
        order = accepted_order(event, time_ms, terms)
        self._orders.add_open_order(order)
        one = self._lists.get(event.order_list_id)
        if one is not None:
            one.orders[event.order_id] = event.client_order_id
        self._orders.hold(order, event.held_atoms, seq, time_ms)

    def _triggered(self, event: OrderTriggered, seq: int, time_ms: int) -> None:
        self._goes_on(event.order_id, codes.STATE_WORKING, event.price_ticks, time_ms)
        order = self._orders.open_order(event.order_id)
        self._orders.hold(order, event.held_atoms - event.released_atoms, seq, time_ms)

    def _pending_placed(self, event: PendingOrderPlaced, seq: int, time_ms: int) -> None:
        self._goes_on(event.order_id, event.state, event.price_ticks, time_ms)
        self._orders.hold(self._orders.open_order(event.order_id), event.held_atoms, seq, time_ms)

    def _pending_funded(self, event: PendingOrderFunded, seq: int, time_ms: int) -> None:
        order = self._orders.open_order(event.order_id)
        if event.quantity_lots:
            order.quantity_lots = event.quantity_lots
        order.updated_ms = time_ms
        self._orders.hold(order, event.held_atoms - event.released_atoms, seq, time_ms)

    def _goes_on(self, order_id: int, state: int, price_ticks: int, time_ms: int) -> None:
        order = self._orders.open_order(order_id)
        assert order.terms is not None, "only orders with terms wait"
        terms = order.terms
        terms.state, order.price_ticks, order.updated_ms = state, price_ticks, time_ms
        if follows_at_once(state, terms.trailing_bips, terms.stop_price_ticks):
            terms.trailing_ms = time_ms
        if state == codes.STATE_WORKING:
            order.working_ms = time_ms

    def _trailing_started(self, event: TrailingStarted, seq: int, time_ms: int) -> None:
        order = self._orders.open_order(event.order_id)
        assert order.terms is not None, "only orders with terms trail"
        order.terms.trailing_ms = order.updated_ms = time_ms
        self._orders.touch(event.user_id, seq)

    def _refilled(self, event: IcebergRefilled, seq: int, time_ms: int) -> None:
        """The book's matter: the order itself is what it was."""
        self._orders.touch(event.user_id, seq)

    def _amended(self, event: OrderAmended, seq: int, time_ms: int) -> None:
        order = self._orders.open_order(event.order_id)
        self._orders.rename(order, event.client_order_id, seq)
        one = self._lists.get(order.order_list_id)
        if one is not None:
            one.orders[event.order_id] = event.client_order_id
        order.quantity_lots, order.updated_ms = event.quantity_lots, time_ms
        self._orders.hold(order, -event.released_atoms, seq, time_ms)

    def _decremented(self, event: SelfTradeDecremented, seq: int, time_ms: int) -> None:
        for order_id, released_atoms in (
            (event.taker_order_id, event.taker_released_atoms),
            (event.maker_order_id, event.maker_released_atoms),
        ):
            order = self._orders.open_order(order_id)
            order.prevented_lots += event.prevented_lots
            order.decrement_seq = seq
            order.updated_ms = time_ms
            self._orders.hold(order, -released_atoms, seq, time_ms)

    def _list_placed(self, event: OrderListPlaced, seq: int, time_ms: int) -> None:
        self._lists.add(
            OrderListRecord(
                event.order_list_id,
                event.user_id,
                event.market_id,
                event.list_client_order_id,
                event.contingency,
                time_ms,
                0,
            )
        )
        self._orders.touch(event.user_id, seq)

    def _list_done(self, event: OrderListDone, seq: int, time_ms: int) -> None:
        self._lists.end(event.order_list_id, time_ms)
        self._orders.touch(event.user_id, seq)
