"""Orders of one market that wait: for a price, or for the working order of their list (ADR 0037).

A trade costs two comparisons here, whatever number of orders waits: it widens the *reach*, the lowest and the
highest price since the orders that were due had all been sent to work. What stands within the reach is due.
"""

from collections import deque
from typing import Final

from exchange.contracts.codes import BUY, STOP_LOSS, STOP_LOSS_LIMIT
from exchange.contracts.limits import INTEGER_MAX
from matching_engine.core.ladder import Ladder
from matching_engine.core.order import Level, Order, OrderList, Terms
from matching_engine.core.trailing import Trails

__all__ = ["NO_LOW", "Waiting", "rises_to_stop"]

NO_HIGH: Final = 0
NO_LOW: Final = INTEGER_MAX


def rises_to_stop(side: int, order_type: int) -> bool:
    """Whether an order waits for a price at or above its stop price (binance-spot-api 2.4)."""
    stops_loss = order_type in (STOP_LOSS, STOP_LOSS_LIMIT)
    return stops_loss if side == BUY else not stops_loss


class Stops:
    """Orders by stop price, those of one price by arrival; `rising`: the lowest price is reached first."""

    def __init__(self, rising: bool) -> None:
        self._rising = rising
        self._ladder = Ladder()
        # The stop price that is reached first, one that no trade reaches if there is none.
        self._none_ticks = NO_LOW if rising else NO_HIGH
        self.first_ticks = self._none_ticks

    def first(self) -> Order | None:
        """The order whose stop price is reached first."""
        level = self._ladder.best
        return None if level is None else level.head

    def add(self, order: Order, stop_price_ticks: int) -> None:
        """Let an order wait behind all others of its price."""
        key = -stop_price_ticks if self._rising else stop_price_ticks
        level = self._ladder.find(key)
        if level is None:
            level = Level(stop_price_ticks)
            self._ladder.insert(key, level)
            self._know_first()
        level.append(order)

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it stands."""
        level = order.level
        assert level is not None, "the order waits"
        level.unlink(order)
        if level.head is None:
            self._ladder.remove(level)
            self._know_first()

    def _know_first(self) -> None:
        best = self._ladder.best
        self.first_ticks = self._none_ticks if best is None else best.price_ticks

    def orders(self) -> list[Order]:
        """All of them, in the order in which they would be reached."""
        found: list[Order] = []
        level = self._ladder.best
        while level is not None:
            order = level.head
            while order is not None:
                found.append(order)
                order = order.next
            level = level.worse
        return found

    def let_go(self) -> None:
        """Cut all links: the engine has come to its end."""
        self._ladder.let_go()


class Reach:
    """The lowest and the highest price that still count; nothing at first."""

    def __init__(self) -> None:
        self.high = NO_HIGH
        self.low = NO_LOW

    def widen(self, price_ticks: int) -> None:
        """Count a trade."""
        if price_ticks > self.high:
            self.high = price_ticks
        if price_ticks < self.low:
            self.low = price_ticks

    def forget(self) -> None:
        """Nothing is due any more."""
        self.high, self.low = NO_HIGH, NO_LOW


class Waiting:
    """All that waits in a market.

    `rising`, `falling`: orders with a stop price that go to work there. `starts_rising`, `starts_falling`:
    those that begin there to follow the price; `trails` follow it. Lists in `due_lists` have their working
    order filled.
    """

    def __init__(self) -> None:
        self.rising = Stops(True)
        self.falling = Stops(False)
        self.starts_rising = Stops(True)
        self.starts_falling = Stops(False)
        self.trails = Trails()
        self.reach = Reach()
        self.start_reach = Reach()
        self.due_lists: deque[OrderList] = deque()

    def record(self, price_ticks: int) -> None:
        """Count a trade."""
        self.trails.buys.record(price_ticks)
        self.trails.sells.record(price_ticks)
        self.reach.widen(price_ticks)
        self.start_reach.widen(price_ticks)

    def stops_of(self, order: Order, terms: Terms) -> Stops:
        """Where an order with a stop price stands until that is reached."""
        rises = rises_to_stop(order.side, terms.order_type)
        if terms.trailing_bips:
            return self.starts_rising if rises else self.starts_falling
        return self.rising if rises else self.falling

    def add(self, order: Order, terms: Terms, last_ticks: int) -> None:
        """Let an order wait. `last_ticks`: of the last trade, where one without a stop price begins."""
        if terms.stop_price_ticks:
            self.stops_of(order, terms).add(order, terms.stop_price_ticks)
        else:
            self.trails.add(order, terms, last_ticks)

    def start(self, order: Order, terms: Terms, last_ticks: int) -> None:
        """An order whose stop price was reached begins to follow the price."""
        self.stops_of(order, terms).remove(order)
        terms.stop_price_ticks = 0
        self.trails.add(order, terms, last_ticks)

    def remove(self, order: Order, terms: Terms) -> None:
        """Take out an order that waits for a price."""
        if terms.stop_price_ticks:
            self.stops_of(order, terms).remove(order)
        else:
            self.trails.of(order.side).remove(order)

    def trigger_of(self, order: Order, terms: Terms) -> int:
        """The price that sends an order to work, as of now."""
        return terms.stop_price_ticks or self.trails.of(order.side).trigger_of(order)

    def due_order(self) -> Order | None:
        """The order that goes to work next: rising ones first, the nearest price first.

        None if none is due.
        """
        reach = self.reach
        order = self.rising.first()
        if order is not None and order.level is not None and order.level.price_ticks <= reach.high:
            return order
        order = self.trails.buys.first_due()
        if order is not None:
            return order
        order = self.falling.first()
        if order is not None and order.level is not None and order.level.price_ticks >= reach.low:
            return order
        return self.trails.sells.first_due()

    def due_start(self) -> Order | None:
        """The order that begins next to follow the price."""
        reach = self.start_reach
        order = self.starts_rising.first()
        if order is not None and order.level is not None and order.level.price_ticks <= reach.high:
            return order
        order = self.starts_falling.first()
        if order is not None and order.level is not None and order.level.price_ticks >= reach.low:
            return order
        return None

    def due_list(self) -> OrderList | None:
        """The list whose pending orders are placed next."""
        while self.due_lists:
            order_list = self.due_lists[0]
            if not order_list.is_done:
                return order_list
            self.due_lists.popleft()
        return None

    def any_order(self) -> Order | None:
        """The next order in the sequence in which they are cancelled when the market ends.

        With a stop price: those that wait for a rise, then for a fall, then those that begin to follow there;
        the nearest first. Then those that follow, buys first, those that are due before others and the
        nearest trigger first. Last, lists whose pending orders are due.
        """
        for stops in (self.rising, self.falling, self.starts_rising, self.starts_falling):
            order = stops.first()
            if order is not None:
                return order
        order = self.trails.buys.nearest()
        if order is None:
            order = self.trails.sells.nearest()
        if order is None:
            order_list = self.due_list()
            order = None if order_list is None else order_list.orders[0]
        return order

    def forget(self) -> None:
        """The market has ended, and nothing waits in it any more."""
        self.reach.forget()
        self.start_reach.forget()
        self.due_lists.clear()

    def let_go(self) -> None:
        """Cut all links: the engine has come to its end. Those that trail are the collector's."""
        for stops in (self.rising, self.falling, self.starts_rising, self.starts_falling):
            stops.let_go()

    def is_due(self) -> bool:
        """Whether something is to be sent to work; where nothing is, the reach begins anew."""
        reach, starts, trails = self.reach, self.start_reach, self.trails
        if not (
            self.due_lists
            or self.rising.first_ticks <= reach.high
            or self.falling.first_ticks >= reach.low
            or self.starts_rising.first_ticks <= starts.high
            or self.starts_falling.first_ticks >= starts.low
            or trails.buys.has_due()
            or trails.sells.has_due()
        ):
            reach.forget()
            starts.forget()
            return False
        if self.due_list() is not None or self.due_order() is not None:
            return True
        self.reach.forget()
        if self.due_start() is not None:
            return True
        self.start_reach.forget()
        return False
