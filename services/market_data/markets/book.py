"""A market's order book as price levels. Pure: changed by events alone."""

from bisect import bisect_left, insort
from itertools import islice

from exchange.contracts.codes import BUY, SELL

__all__ = ["Book", "BookError", "BookSide", "Level"]

Level = tuple[int, int]
"""Price in ticks, quantity in lots."""


class BookError(Exception):
    """A level would fall below zero: this copy of the book is not the engine's; the process must stop."""


class BookSide:
    """One side's levels.

    Prices are kept as keys that grow towards the best price (a bid's key is its price, an ask's the
    negative), as in the engine's book: nearly all that happens does so near the best price, and what changes
    at the end of a list moves nothing.
    """

    def __init__(self, side: int) -> None:
        self.lots: dict[int, int] = {}
        self._sign = 1 if side == BUY else -1
        self._keys: list[int] = []
        self.changed: set[int] = set()

    def change(self, price_ticks: int, change_lots: int) -> None:
        """Add `change_lots`, which may be negative, to a level. Raises BookError below zero."""
        before = self.lots.get(price_ticks, 0)
        after = before + change_lots
        if after < 0:
            raise BookError(f"the level {price_ticks} has {before} lots and is to lose {-change_lots}")
        if after == before:
            return
        key = price_ticks * self._sign
        if after == 0:
            del self.lots[price_ticks]
            del self._keys[bisect_left(self._keys, key)]
        else:
            self.lots[price_ticks] = after
            if before == 0:
                insort(self._keys, key)
        self.changed.add(price_ticks)

    def best(self) -> Level | None:
        """The best level, None on an empty side."""
        if not self._keys:
            return None
        price_ticks = self._keys[-1] * self._sign
        return price_ticks, self.lots[price_ticks]

    def top(self, count: int) -> list[Level]:
        """The `count` best levels, best first."""
        lots, sign = self.lots, self._sign
        return [(key * sign, lots[key * sign]) for key in islice(reversed(self._keys), count)]

    def in_order(self, prices_ticks: set[int]) -> list[Level]:
        """These prices best first with what is there now, 0 where nothing is left."""
        ordered = sorted(prices_ticks, reverse=self._sign > 0)
        return [(price_ticks, self.lots.get(price_ticks, 0)) for price_ticks in ordered]

    def __len__(self) -> int:
        return len(self._keys)


class Book:
    """Both sides. `version` counts the changes, for caches of what was made from the book."""

    def __init__(self) -> None:
        self.bids = BookSide(BUY)
        self.asks = BookSide(SELL)
        self.version = 0

    def change(self, side: int, price_ticks: int, change_lots: int) -> None:
        """Add lots, which may be negative, to a level. Raises BookError below zero."""
        (self.bids if side == BUY else self.asks).change(price_ticks, change_lots)
        self.version += 1

    def take_changes(self) -> tuple[set[int], set[int]]:
        """Prices of bids and of asks that changed since the last call."""
        bids, asks = self.bids.changed, self.asks.changed
        self.bids.changed, self.asks.changed = set(), set()
        return bids, asks
