"""The order book of one market: price levels in two ladders, orders in linked queues.

`naive_book.NaiveBook` says the same in the plainest way; one test holds the two equal.
"""

from exchange.contracts.codes import BUY
from matching_engine.core.ladder import Ladder
from matching_engine.core.order import Level, Order


class Book:
    """Resting orders of one market."""

    def __init__(self) -> None:
        self.bids = Ladder()
        self.asks = Ladder()
        self.icebergs = 0

    def best(self, side: int) -> Order | None:
        """The order of `side` that trades next: best price, then oldest."""
        level = self.bids.best if side == BUY else self.asks.best
        return None if level is None else level.head

    def add(self, order: Order) -> None:
        """Queue an order behind all others of its price."""
        if order.side == BUY:
            key, ladder = order.price_ticks, self.bids
        else:
            key, ladder = -order.price_ticks, self.asks
        level = ladder.find(key)
        if level is None:
            level = Level(order.price_ticks)
            ladder.insert(key, level)
        level.append(order)
        if order.terms is not None and order.terms.iceberg_lots:
            level.icebergs += 1
            self.icebergs += 1

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it stands in its queue."""
        level = order.level
        assert level is not None, "the order rests"
        level.unlink(order)
        if order.terms is not None and order.terms.iceberg_lots:
            level.icebergs -= 1
            self.icebergs -= 1
        if level.head is None:
            if order.side == BUY:
                self.bids.remove(level)
            else:
                self.asks.remove(level)

    def reduce(self, order: Order, lots: int) -> None:
        """Fill `lots` of a resting order; it keeps its place, or leaves when nothing is open."""
        level = order.level
        assert level is not None, "the order rests"
        assert 0 < lots <= order.open_lots, "fills what is open"
        if lots == order.open_lots:
            self.remove(order)
            order.open_lots = 0
        else:
            order.open_lots -= lots
            level.lots -= lots

    def following(self, order: Order) -> Order | None:
        """The order that trades after `order` on the same side."""
        if order.next is not None:
            return order.next
        level = order.level
        assert level is not None, "the order rests"
        worse = level.worse
        return None if worse is None else worse.head

    def level_begun_by(self, order: Order) -> Level | None:
        """The level whose oldest order this is, for walks that take levels whole; else None."""
        level = order.level
        return level if level is not None and level.head is order else None

    def depth(self, side: int, levels_max: int) -> list[tuple[int, int]]:
        """Return (price_ticks, lots) of the best levels, best first."""
        found: list[tuple[int, int]] = []
        level = self.bids.best if side == BUY else self.asks.best
        while level is not None and len(found) < levels_max:
            found.append((level.price_ticks, level.lots))
            level = level.worse
        return found

    def let_go(self) -> None:
        """Cut all links: the engine has come to its end."""
        self.bids.let_go()
        self.asks.let_go()

    def orders(self, side: int) -> list[Order]:
        """All orders of a side in the order in which they would trade."""
        found: list[Order] = []
        order = self.best(side)
        while order is not None:
            found.append(order)
            order = self.following(order)
        return found
