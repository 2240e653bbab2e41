"""What waits, in its plainest form: one list of orders, each looked at after every trade.

The reference for `waiting.Waiting` and `trailing.Trails`: same answers, no ladders and no segments.
"""

from dataclasses import dataclass

from exchange.contracts.codes import BUY, SELL
from matching_engine.core.order import Order, Terms
from matching_engine.core.waiting import Waiting, rises_to_stop

BIPS = 10_000


@dataclass
class Entry:
    """One waiting order. `since`: counts arrivals and new extremes."""

    order: Order
    terms: Terms
    arrived: int
    extreme: int = 0
    since: int = 0
    due_trigger: int = 0

    @property
    def follows(self) -> bool:
        return self.terms.trailing_bips > 0 and self.terms.stop_price_ticks == 0

    @property
    def rises(self) -> bool:
        if self.follows:
            return self.order.side == BUY
        return rises_to_stop(self.order.side, self.terms.order_type)

    def trigger(self) -> int:
        """The price that sends it to work."""
        if not self.follows:
            return self.terms.stop_price_ticks
        if self.due_trigger:
            return self.due_trigger
        exact = self.extreme * (BIPS + self.terms.trailing_bips * (1 if self.rises else -1))
        return -(-exact // BIPS) if self.rises else exact // BIPS


class NaiveWaiting(Waiting):
    """All that waits in a market."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self._arrivals = 0
        self._extremes = {BUY: 1, SELL: 1}

    def record(self, price_ticks: int) -> None:
        for side in (BUY, SELL):
            following = [e for e in self.entries if e.follows and e.order.side == side and not e.due_trigger]
            for entry in following:
                if self._is_reached(entry, price_ticks, price_ticks):
                    entry.due_trigger = entry.trigger()
            following = [e for e in following if not e.due_trigger]
            sign = 1 if side == SELL else -1
            if any(sign * e.extreme < sign * price_ticks for e in following):
                for entry in following:
                    if sign * entry.extreme <= sign * price_ticks:
                        entry.extreme, entry.since = price_ticks, self._extremes[side]
                self._extremes[side] += 1
        self.reach.widen(price_ticks)
        self.start_reach.widen(price_ticks)

    def _is_reached(self, entry: Entry, low: int, high: int) -> bool:
        return entry.trigger() <= high if entry.rises else entry.trigger() >= low

    def add(self, order: Order, terms: Terms, last_ticks: int) -> None:
        self._arrivals += 1
        entry = Entry(order, terms, self._arrivals)
        self.entries.append(entry)
        if entry.follows:
            self._follow(entry, last_ticks)

    def _follow(self, entry: Entry, last_ticks: int) -> None:
        side = entry.order.side
        entry.extreme = last_ticks
        others = [e for e in self.entries if e.follows and e.order.side == side and not e.due_trigger]
        for other in others:
            if other is not entry and other.extreme == last_ticks:
                entry.since = other.since
                return
        entry.since = self._extremes[side]
        self._extremes[side] += 1

    def start(self, order: Order, terms: Terms, last_ticks: int) -> None:
        self.remove(order, terms)
        terms.stop_price_ticks = 0
        self.add(order, terms, last_ticks)

    def remove(self, order: Order, terms: Terms) -> None:
        self.entries = [entry for entry in self.entries if entry.order is not order]

    def trigger_of(self, order: Order, terms: Terms) -> int:
        (entry,) = [entry for entry in self.entries if entry.order is order]
        return entry.trigger()

    def is_due(self) -> bool:
        if self.due_list() is not None or self.due_order() is not None:
            return True
        self.reach.forget()
        if self.due_start() is not None:
            return True
        self.start_reach.forget()
        return False

    def due_order(self) -> Order | None:
        for rises in (True, False):
            for follows in (False, True):
                found = self._first(rises, follows)
                if found is not None:
                    return found
        return None

    def _first(self, rises: bool, follows: bool) -> Order | None:
        due = [
            entry
            for entry in self.entries
            if entry.rises == rises and entry.follows == follows
            and (follows or not entry.terms.trailing_bips)
            and (entry.due_trigger if follows else self._is_reached(entry, self.reach.low, self.reach.high))
        ]  # fmt: skip
        return _sorted(due, rises)[0].order if due else None

    def any_order(self) -> Order | None:
        for trails in (False, True):
            for rises in (True, False):
                found = [
                    entry
                    for entry in self.entries
                    if entry.rises == rises
                    and not entry.follows
                    and bool(entry.terms.trailing_bips) == trails
                ]
                if found:
                    return _sorted(found, rises)[0].order
        for rises in (True, False):
            for is_due in (True, False):
                following = [e for e in self.entries if e.follows and e.rises == rises]
                found = [entry for entry in following if (entry.due_trigger > 0) == is_due]
                if found:
                    return _sorted(found, rises)[0].order
        order_list = self.due_list()
        return None if order_list is None else order_list.orders[0]

    def due_start(self) -> Order | None:
        for rises in (True, False):
            due = [
                entry
                for entry in self.entries
                if entry.rises == rises and entry.terms.trailing_bips and not entry.follows
                and self._is_reached(entry, self.start_reach.low, self.start_reach.high)
            ]  # fmt: skip
            sign = 1 if rises else -1
            due.sort(key=lambda e: (sign * e.trigger(), e.arrived))
            if due:
                return due[0].order
        return None


def _sorted(entries: list[Entry], rises: bool) -> list[Entry]:
    """The nearest trigger first; of one trigger the oldest extreme, the smallest distance, the first come."""
    sign = 1 if rises else -1
    return sorted(entries, key=lambda e: (sign * e.trigger(), e.since, e.terms.trailing_bips, e.arrived))
