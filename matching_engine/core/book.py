"""The order book of one market: price levels in a sorted ladder, orders in linked queues.

`naive_book.NaiveBook` says the same in the plainest way; one test holds the two equal.
"""

from bisect import bisect_left

from exchange.contracts.codes import BUY
from matching_engine.core.order import Level, Order


class Book:
    """Resting orders of one market.

    Prices are kept as keys that grow towards the best price (a bid's key is its price, an ask's the
    negative), so that the best level is always the last of its list, and leaving it costs nothing.
    """

    def __init__(self) -> None:
        self._bid_keys: list[int] = []
        self._ask_keys: list[int] = []
        self._bids: dict[int, Level] = {}
        self._asks: dict[int, Level] = {}
        self._best_bid: Level | None = None
        self._best_ask: Level | None = None

    def best(self, side: int) -> Order | None:
        """The order of `side` that trades next: best price, then oldest."""
        level = self._best_bid if side == BUY else self._best_ask
        return None if level is None else level.head

    def add(self, order: Order) -> None:
        """Queue an order behind all others of its price."""
        if order.side == BUY:
            key, keys, levels = order.price_ticks, self._bid_keys, self._bids
        else:
            key, keys, levels = -order.price_ticks, self._ask_keys, self._asks
        level = levels.get(key)
        if level is None:
            level = Level(order.price_ticks)
            levels[key] = level
            if not keys or key > keys[-1]:
                keys.append(key)
                self._set_best(order.side, level)
            else:
                keys.insert(bisect_left(keys, key), key)
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.lots += order.open_lots
        level.count += 1
        order.level = level

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it stands in its queue."""
        level = order.level
        assert level is not None, "the order rests"
        before, after = order.previous, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.previous = before
        order.previous = order.next = order.level = None
        level.lots -= order.open_lots
        level.count -= 1
        if level.head is None:
            self._drop_level(order.side, level)

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
        if order.side == BUY:
            key, keys, levels = order.price_ticks, self._bid_keys, self._bids
        else:
            key, keys, levels = -order.price_ticks, self._ask_keys, self._asks
        position = bisect_left(keys, key)
        if position == 0:
            return None
        return levels[keys[position - 1]].head

    def level_begun_by(self, order: Order) -> Level | None:
        """The level whose oldest order this is, for walks that take levels whole; else None."""
        level = order.level
        return level if level is not None and level.head is order else None

    def depth(self, side: int, levels_max: int) -> list[tuple[int, int]]:
        """Return (price_ticks, lots) of the best levels, best first."""
        keys, levels = (self._bid_keys, self._bids) if side == BUY else (self._ask_keys, self._asks)
        first = max(0, len(keys) - levels_max)
        return [(levels[k].price_ticks, levels[k].lots) for k in reversed(keys[first:])]

    def orders(self, side: int) -> list[Order]:
        """All orders of a side in the order in which they would trade."""
        found: list[Order] = []
        order = self.best(side)
        while order is not None:
            found.append(order)
            order = self.following(order)
        return found

    def _drop_level(self, side: int, level: Level) -> None:
        if side == BUY:
            key, keys, levels = level.price_ticks, self._bid_keys, self._bids
        else:
            key, keys, levels = -level.price_ticks, self._ask_keys, self._asks
        del levels[key]
        if keys[-1] == key:
            keys.pop()
            self._set_best(side, levels[keys[-1]] if keys else None)
        else:
            del keys[bisect_left(keys, key)]

    def _set_best(self, side: int, level: Level | None) -> None:
        if side == BUY:
            self._best_bid = level
        else:
            self._best_ask = level
