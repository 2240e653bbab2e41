"""What the model makes of orders with terms, from the docstrings of their events alone."""

from collections.abc import Callable

from exchange.contracts import codes
from exchange.contracts.events import Event
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
from tests.simulation.model.books import Books
from tests.simulation.model.filters import ModelFilters
from tests.simulation.model.order import ModelOrder
from tests.simulation.violations import require

__all__ = ["terms_handlers"]


def terms_handlers(
    books: Books, filters: ModelFilters
) -> tuple[dict[type[Event], Callable[..., None]], Callable[[], None]]:
    """What the model does with each kind of event, and what it checks after an outcome."""
    of_terms = _Terms(books, filters)
    handlers: dict[type[Event], Callable[..., None]] = {
        OrderWithTermsAccepted: of_terms.accepted,
        OrderTriggered: of_terms.triggered,
        TrailingStarted: of_terms.started,
        PendingOrderPlaced: of_terms.placed,
        PendingOrderFunded: of_terms.funded,
        IcebergRefilled: of_terms.refilled,
        OrderAmended: of_terms.amended,
        SelfTradeDecremented: of_terms.decremented,
        OrderListPlaced: of_terms.list_placed,
        OrderListDone: of_terms.list_done,
    }
    return handlers, of_terms.check


class _Paying:
    """An OPO or OPOCO: its orders as they were accepted, and how much of what was bought has been kept."""

    def __init__(self) -> None:
        self.orders: list[ModelOrder] = []
        self.kept = 0

    def keeps_enough(self, kept: int) -> bool:
        working = self.orders[0]
        return working.bought - working.bought_fees <= kept <= working.bought


class _Terms:
    def __init__(self, books: Books, filters: ModelFilters) -> None:
        self._books = books
        self._filters = filters
        self._newest_list = 0
        self._paying: dict[int, _Paying] = {}  # lists whose pending orders sell what the working one buys

    def _order(self, order_id: int) -> ModelOrder:
        order = self._books.orders.get(order_id)
        require(order is not None, f"I8: order {order_id} is not open")
        assert order is not None
        return order

    def _hold(self, order: ModelOrder, held: int, released: int) -> None:
        order.held += held - released
        require(order.held >= 0, "I3: an order holds less than nothing")
        self._books.move(order.accepted.user_id, self._books.pays(order), released - held, held - released)

    def accepted(self, event: OrderWithTermsAccepted) -> None:
        order = self._books.take_in(event)
        self._filters.check(order)
        order.since = len(self._books.prices.get(event.market_id, []))
        waits = event.order_type in codes.TRIGGERED_TYPE_NAMES
        require(waits == (event.stop_price_ticks + event.trailing_bips > 0), "I8: who waits has a trigger")
        if event.state == codes.STATE_PENDING:
            require(event.order_list_id > 0 and event.held_atoms == 0, "I3: a pending order holds nothing")
        else:
            require(waits == (event.state == codes.STATE_WAITING), "I8: who has a trigger waits")
        if event.order_list_id:
            require(event.order_list_id in self._books.open_lists, "I8: an order's list is open")
        paying = self._paying.get(event.order_list_id)
        leaves_open = paying is not None and len(paying.orders) > 0
        require(leaves_open == (event.quantity_lots == 0), "I8: only who is paid leaves its quantity open")
        if paying is not None:
            paying.orders.append(order)
            require((event.side == codes.SELL) == leaves_open, "I8: what is bought is sold")
        if event.state == codes.STATE_WORKING:
            self._books.begin(order)
        else:
            require(event.resting_lots == 0, "I5: who waits is not on the book")

    def triggered(self, event: OrderTriggered) -> None:
        self._books.finish_takers()
        order = self._order(event.order_id)
        accepted = order.accepted
        require(order.state == codes.STATE_WAITING, "I8: who is triggered has waited")
        assert isinstance(accepted, OrderWithTermsAccepted)
        self._check_trigger(order, accepted, event.trigger_price_ticks)
        others = [o for o in self._books.orders.values() if o.list_id and o.list_id == order.list_id]
        require(len(others) <= 1, "I8: the other orders of a list end before one of them works")
        self._hold(order, event.held_atoms, event.released_atoms)
        self._works(order, event.price_ticks, event.resting_lots)

    def _check_trigger(self, order: ModelOrder, accepted: OrderWithTermsAccepted, trigger: int) -> None:
        """Some trade since it waits has reached the trigger, which is where the order says."""
        prices = self._books.prices.get(accepted.market_id, [])
        since, bips = prices[order.since :], accepted.trailing_bips
        if not bips:
            require(trigger == accepted.stop_price_ticks, "I8: the stop price triggers")
            stops_loss = accepted.order_type in (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT)
            rises = stops_loss == (accepted.side == codes.BUY)
        else:
            rises = accepted.side == codes.BUY
            seen = prices[max(0, order.since - 1) :]
            exact = min(seen) * (10_000 + bips) if rises else max(seen) * (10_000 - bips)
            nearest = -(-exact // 10_000) if rises else exact // 10_000
            require(trigger >= nearest if rises else trigger <= nearest, "I8: it trails as far as it says")
        reached = any(price >= trigger if rises else price <= trigger for price in since)
        require(reached, "I8: a price has sent it to work")

    def _works(self, order: ModelOrder, price_ticks: int, resting_lots: int) -> None:
        order.price_ticks, order.resting_lots = price_ticks, resting_lots
        market = self._books.markets[order.accepted.market_id]
        if order.accepted.side == codes.SELL:
            require(order.held == order.open_lots * market.lot_atoms, "I3: a seller's hold")
        elif price_ticks:
            cost = price_ticks * order.open_lots * market.notional_unit_atoms
            require(order.held == cost, "I3: a buyer's hold")
        self._books.begin(order)

    def started(self, event: TrailingStarted) -> None:
        order = self._order(event.order_id)
        require(order.state == codes.STATE_WAITING, "I8: who follows the price waits")
        prices = self._books.prices[event.market_id]
        require(event.price_ticks == prices[-1], "I8: it follows from the last price on")
        order.since = len(prices)

    def placed(self, event: PendingOrderPlaced) -> None:
        self._books.finish_takers()
        order = self._order(event.order_id)
        is_due = order.state == codes.STATE_PENDING and order.quantity_lots > 0
        require(is_due, "I8: who is placed was pending")
        order.state = event.state
        order.since = len(self._books.prices.get(event.market_id, []))
        self._hold(order, event.held_atoms, 0)
        if event.state == codes.STATE_WORKING:
            self._works(order, event.price_ticks, event.resting_lots)

    def funded(self, event: PendingOrderFunded) -> None:
        order = self._order(event.order_id)
        paying = self._paying.get(order.list_id)
        require(paying is not None, "I8: nobody pays this order")
        assert paying is not None
        require(order.state == codes.STATE_PENDING and order.quantity_lots == 0, "I8: who is paid is pending")
        is_first = paying.orders[1] is order
        self._hold(order, event.held_atoms, event.released_atoms)
        if not event.quantity_lots:
            require(is_first and not event.released_atoms, "I3: the first one keeps for all")
            paying.kept += event.held_atoms
            require(paying.keeps_enough(paying.kept), "I3: as much as was bought, the fee at most taken off")
            return
        working, market = paying.orders[0], self._books.markets[event.market_id]
        require(
            working.open_lots == 0 and working.accepted.order_id not in self._books.orders, "I8: its turn"
        )
        kinds = [other.accepted.order_type for other in paying.orders[1:]]
        any_price = {codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT}.intersection(kinds)
        bought_lots = paying.kept // market.lot_atoms
        lots = self._filters.sellable_lots(market, bought_lots, at_any_price=bool(any_price))
        require(event.quantity_lots == lots, "I8: it sells what was bought, in whole lots")
        require(order.held == (lots * market.lot_atoms if is_first else 0), "I3: it holds what it sells")
        order.quantity_lots = order.open_lots = lots

    def check(self) -> None:
        """What was bought is not to be spent while the list goes on."""
        for paying in self._paying.values():
            require(paying.keeps_enough(paying.kept), "I3: what was bought is kept")

    def refilled(self, event: IcebergRefilled) -> None:
        order = self._order(event.order_id)
        require(order.rests and order.shown_lots == 0, "I9: a slice is shown when the one before is gone")
        self._books.show(order)
        require(event.displayed_lots == order.shown_lots > 0, "I5: an iceberg shows its slice")

    def amended(self, event: OrderAmended) -> None:
        order = self._order(event.order_id)
        cut = order.quantity_lots - event.quantity_lots
        require(0 < cut < order.open_lots, "I8: an amendment makes an order smaller")
        hidden = order.open_lots - order.shown_lots if order.rests else cut
        unbooked = max(0, cut - hidden)
        require(event.unbooked_lots == unbooked, "I5: hidden lots go first")
        order.shown_lots -= unbooked
        order.quantity_lots -= cut
        order.open_lots -= cut
        self._hold(order, 0, event.released_atoms)
        if event.client_order_id != order.name:
            self._books.rename(order, event.client_order_id)

    def decremented(self, event: SelfTradeDecremented) -> None:
        taker, maker = self._order(event.taker_order_id), self._order(event.maker_order_id)
        best = self._books.best(event.market_id, maker.accepted.side)
        require(best is maker, "I9: price, then time")
        require(taker.accepted.user_id == maker.accepted.user_id == event.user_id, "I8: one user's orders")
        lots = event.prevented_lots
        require(0 < lots <= min(taker.open_lots, maker.shown_lots), "I8: as much as both have")
        maker.shown_lots -= lots
        for order, released in ((taker, event.taker_released_atoms), (maker, event.maker_released_atoms)):
            order.open_lots -= lots
            self._hold(order, 0, released)

    def list_placed(self, event: OrderListPlaced) -> None:
        require(event.order_list_id == self._newest_list + 1, "I8: list ids count up")
        self._newest_list = event.order_list_id
        self._books.open_lists.add(event.order_list_id)
        if event.contingency in (codes.CONTINGENCY_OPO, codes.CONTINGENCY_OPOCO):
            self._paying[event.order_list_id] = _Paying()

    def list_done(self, event: OrderListDone) -> None:
        require(event.order_list_id in self._books.open_lists, "I8: a list ends once")
        self._books.open_lists.remove(event.order_list_id)
        self._paying.pop(event.order_list_id, None)
        left = [o for o in self._books.orders.values() if o.list_id == event.order_list_id]
        require(len(left) <= 1, "I8: a list that is done leaves one order at most")
        for order in left:
            require(order.state != codes.STATE_PENDING, "I8: nothing waits for a list that is done")
            order.list_id = 0
