"""Trailing stops of one market: orders whose trigger follows the price (ADR 0037).

Sell orders follow the highest price down, buy orders the lowest up. Orders that have seen the same extreme
share a segment. A later order has seen fewer prices, so the extremes of the segments, by age, are strictly
monotone, and a new extreme melts the youngest ones into one: what it costs was paid by the orders that made
them.
"""

from bisect import bisect_left, insort
from typing import Final

from exchange.contracts.codes import BUY
from matching_engine.core.ladder import Ladder
from matching_engine.core.order import Level, Order, Terms

__all__ = ["Segment", "Trail", "Trails", "trigger_ticks"]

_WHOLE_BIPS: Final = 10_000
_NUMBERS: Final = 2**40  # more than there are
_BIPS: Final = 2**14  # more than one order may have


def trigger_ticks(buys: bool, extreme_ticks: int, bips: int) -> int:
    """The price that sends an order to work: the nearest whole tick that is as far away as it has to be."""
    if buys:
        return -(-extreme_ticks * (_WHOLE_BIPS + bips) // _WHOLE_BIPS)
    return extreme_ticks * (_WHOLE_BIPS - bips) // _WHOLE_BIPS


class Bucket(Level):
    """Orders of one segment with the same distance, by the time at which they began to follow."""

    def __init__(self, bips: int, segment: "Segment") -> None:
        super().__init__(bips)
        self.segment = segment
        self.into: Bucket | None = None  # what it has been poured into

    def current(self) -> "Bucket":
        """Where the orders of this bucket are now; makes the way there short."""
        here = self
        while here.into is not None:
            if here.into.into is not None:
                here.into = here.into.into
            here = here.into
        return here

    def pour_in(self, other: "Bucket", is_older: bool) -> None:
        """Take over the orders of another bucket, before its own if they are older."""
        first, second = (other, self) if is_older else (self, other)
        head, tail = first.head, second.tail
        if first.tail is not None and second.head is not None:
            first.tail.next = second.head
            second.head.previous = first.tail
        self.head, self.tail = head, tail
        self.lots += other.lots
        self.count += other.count
        other.into = self


class Segment(Level):
    """Orders of one extreme; a level of the ladder of triggers, at that of its smallest distance.

    `number`: when its extreme was set; of equal triggers the lower one comes first. `older` and `newer`: its
    neighbours by age. One that `is_due` follows no more, and has orders of one distance.
    """

    def __init__(self, extreme_ticks: int, number: int) -> None:
        super().__init__(0)
        self.extreme_ticks = extreme_ticks
        self.number = number
        self.is_due = False
        self.bips: list[int] = []
        self.buckets: dict[int, Bucket] = {}
        self.older: Segment | None = None
        self.newer: Segment | None = None

    def put(self, bucket: Bucket) -> None:
        """Take in a bucket of a distance that is new here."""
        bips = bucket.price_ticks
        bucket.segment = self
        insort(self.bips, bips)
        self.buckets[bips] = bucket

    def drop(self, bips: int) -> Bucket:
        """Take a bucket out."""
        del self.bips[bisect_left(self.bips, bips)]
        return self.buckets.pop(bips)


class Trail:
    """The trailing stops of one side: those that follow, and those that are due."""

    def __init__(self, buys: bool) -> None:
        self.buys = buys
        self.next_number = 1
        self.newest: Segment | None = None
        self._ladder = Ladder()
        self._due = Ladder()

    def record(self, price_ticks: int) -> None:
        """Count a trade: what it reaches is due at the trigger that was reached, wherever the price goes."""
        newest, first = self.newest, self._ladder.best
        if newest is None or first is None:
            return
        if self.buys:
            is_quiet = newest.extreme_ticks <= price_ticks < first.price_ticks
        else:
            is_quiet = first.price_ticks < price_ticks <= newest.extreme_ticks
        if not is_quiet:
            self._change(price_ticks)

    def _change(self, price_ticks: int) -> None:
        segment = self._first()
        while segment is not None and self._is_reached(segment.price_ticks, price_ticks):
            self._leave(segment)
            self._split_due(segment, price_ticks)
            if segment.bips:
                self._enter(segment)
            else:
                self._unchain(segment)
            segment = self._first()
        newest = self.newest
        if newest is not None and self._passes(price_ticks, newest.extreme_ticks):
            self._melt(price_ticks)

    def _first(self) -> Segment | None:
        """The segment whose trigger is the nearest."""
        level = self._ladder.best
        assert level is None or isinstance(level, Segment), "the ladder of triggers holds segments"
        return level

    def _passes(self, price_ticks: int, extreme_ticks: int) -> bool:
        return price_ticks < extreme_ticks if self.buys else price_ticks > extreme_ticks

    def _is_reached(self, trigger: int, price_ticks: int) -> bool:
        return trigger <= price_ticks if self.buys else trigger >= price_ticks

    def _melt(self, price_ticks: int) -> None:
        melted: Segment | None = None
        segment = self.newest
        while segment is not None and (
            segment.extreme_ticks == price_ticks or self._passes(price_ticks, segment.extreme_ticks)
        ):
            self._leave(segment)
            self._unchain(segment)
            melted = segment if melted is None else self._merged(segment, melted)
            segment = self.newest
        assert melted is not None, "the newest one has been passed"
        melted.extreme_ticks, melted.number = price_ticks, self._number()
        self._push(melted)

    def _split_due(self, segment: Segment, price_ticks: int) -> None:
        """Let all that this price reaches be due, each distance by itself."""
        while segment.bips:
            bips = segment.bips[0]
            trigger = trigger_ticks(self.buys, segment.extreme_ticks, bips)
            if not self._is_reached(trigger, price_ticks):
                return
            due = Segment(segment.extreme_ticks, segment.number)
            due.is_due = True
            due.put(segment.drop(bips))
            self._enter_due(due)

    def _enter_due(self, due: Segment) -> None:
        bips = due.bips[0]
        due.price_ticks = trigger_ticks(self.buys, due.extreme_ticks, bips)
        key = self._due_key(due, bips)
        there = self._due.find(key)
        if there is None:
            self._due.insert(key, due)
        else:
            assert isinstance(there, Segment), "the ladder of triggers holds segments"
            there.buckets[bips].pour_in(due.buckets[bips], False)

    def _due_key(self, due: Segment, bips: int) -> int:
        place, behind = due.price_ticks * _NUMBERS * _BIPS, due.number * _BIPS + bips
        return -place - behind if self.buys else place - behind

    def _merged(self, older: Segment, newer: Segment) -> Segment:
        """Pour the smaller of two segments into the larger, which is returned."""
        large, small = (older, newer) if len(older.bips) >= len(newer.bips) else (newer, older)
        for bips in small.bips:
            bucket = small.buckets[bips]
            there = large.buckets.get(bips)
            if there is None:
                large.put(bucket)
            else:
                there.pour_in(bucket, small is older)
        return large

    def _number(self) -> int:
        number = self.next_number
        self.next_number += 1
        return number

    def _push(self, segment: Segment) -> None:
        newest = self.newest
        segment.older, segment.newer = newest, None
        if newest is not None:
            newest.newer = segment
        self.newest = segment
        self._enter(segment)

    def _key(self, segment: Segment) -> int:
        place = segment.price_ticks * _NUMBERS
        return -place - segment.number if self.buys else place - segment.number

    def _enter(self, segment: Segment) -> None:
        """Put a segment on the ladder, by its smallest distance."""
        segment.price_ticks = trigger_ticks(self.buys, segment.extreme_ticks, segment.bips[0])
        self._ladder.insert(self._key(segment), segment)

    def _leave(self, segment: Segment) -> None:
        self._ladder.remove(segment)

    def _unchain(self, segment: Segment) -> None:
        older, newer = segment.older, segment.newer
        if older is not None:
            older.newer = newer
        if newer is not None:
            newer.older = older
        else:
            self.newest = older
        segment.older = segment.newer = None

    def add(self, order: Order, bips: int, last_ticks: int) -> None:
        """An order begins to follow the price, which was last at `last_ticks`."""
        newest = self.newest
        is_new = newest is None or newest.extreme_ticks != last_ticks
        segment = Segment(last_ticks, self._number()) if newest is None or is_new else newest
        bucket = segment.buckets.get(bips)
        if bucket is None:
            bucket = Bucket(bips, segment)
            if not is_new:
                self._leave(segment)
            segment.put(bucket)
            if is_new:
                self._push(segment)
            else:
                self._enter(segment)
        bucket.append(order)

    def remove(self, order: Order) -> None:
        """Take an order out."""
        bucket = _bucket_of(order)
        bucket.unlink(order)
        if bucket.head is not None:
            return
        segment = bucket.segment
        if segment.is_due:
            self._due.remove(segment)
            return
        self._leave(segment)
        segment.drop(bucket.price_ticks)
        if segment.bips:
            self._enter(segment)
        else:
            self._unchain(segment)

    def has_due(self) -> bool:
        """Whether an order is due."""
        return self._due.best is not None

    def first_due(self) -> Order | None:
        """The order that goes to work next: by trigger, then by the age of its extreme, then by distance."""
        level = self._due.best
        assert level is None or isinstance(level, Segment), "the ladder of triggers holds segments"
        return None if level is None else level.buckets[level.bips[0]].head

    def trigger_of(self, order: Order) -> int:
        """The price that sends an order to work, as of now."""
        bucket = _bucket_of(order)
        return trigger_ticks(self.buys, bucket.segment.extreme_ticks, bucket.price_ticks)

    def nearest(self) -> Order | None:
        """The order whose trigger is the nearest: those that are due first, in the sequence of their turns.

        Of one trigger the oldest extreme, then the smallest distance, then the oldest order.
        """
        order = self.first_due()
        segment = self._first()
        if order is None and segment is not None:
            order = segment.buckets[segment.bips[0]].head
        return order

    def segments(self) -> list[Segment]:
        """Those that still follow, the oldest first, then those that are due, in the order of their turns."""
        found: list[Segment] = []
        segment = self.newest
        while segment is not None:
            found.append(segment)
            segment = segment.older
        found.reverse()
        level = self._due.best
        while level is not None:
            assert isinstance(level, Segment), "the ladder of triggers holds segments"
            found.append(level)
            level = level.worse
        return found

    def restore(self, extreme_ticks: int, number: int, is_due: bool, orders: list[Order]) -> None:
        """Put in the next of `segments()` with its orders, those of each distance by age."""
        segment = Segment(extreme_ticks, number)
        segment.is_due = is_due
        for order in orders:
            assert order.terms is not None, "a trailing order has terms"
            bucket = segment.buckets.get(order.terms.trailing_bips)
            if bucket is None:
                bucket = Bucket(order.terms.trailing_bips, segment)
                segment.put(bucket)
            bucket.append(order)
        if is_due:
            self._enter_due(segment)
        else:
            self._push(segment)


class Trails:
    """The trailing stops of a market."""

    def __init__(self) -> None:
        self.buys = Trail(True)
        self.sells = Trail(False)

    def of(self, side: int) -> Trail:
        """Those of one side."""
        return self.buys if side == BUY else self.sells

    def add(self, order: Order, terms: Terms, last_ticks: int) -> None:
        """An order begins to follow the price."""
        self.of(order.side).add(order, terms.trailing_bips, last_ticks)


def orders_of(segment: Segment) -> list[Order]:
    """Its orders, the smallest distance first, then by age."""
    found: list[Order] = []
    for bips in segment.bips:
        order = segment.buckets[bips].head
        while order is not None:
            found.append(order)
            order = order.next
    return found


def _bucket_of(order: Order) -> Bucket:
    bucket = order.level
    assert isinstance(bucket, Bucket), "the order follows the price"
    return bucket.current()
