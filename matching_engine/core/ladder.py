"""The price levels of one side of a book in order, a hundred thousand at the cost of a hundred.

A level knows its neighbours, so matching and walks never search. Only a price that is new, or gone, is looked
for: among blocks of at most BLOCK_MAX prices, and then within one block.
"""

from bisect import bisect_left, bisect_right
from typing import Final

from matching_engine.core.order import Level

BLOCK_MAX: Final = 512


class Ladder:
    """Levels by key. Keys grow towards the best price: a bid's is its price, an ask's the negative.

    `best`: the level that trades next, None of an empty side.
    """

    def __init__(self) -> None:
        self.best: Level | None = None
        self._levels: dict[int, Level] = {}
        # Sorted keys in blocks, none of them empty, and the first key of each block.
        self._blocks: list[list[int]] = []
        self._firsts: list[int] = []

    def __len__(self) -> int:
        return len(self._levels)

    def find(self, key: int) -> Level | None:
        """The level of this key, None when there is none."""
        return self._levels.get(key)

    def insert(self, key: int, level: Level) -> None:
        """Put in a level whose key is not there yet."""
        blocks, best = self._blocks, self.best
        if best is not None and key > blocks[-1][-1]:
            # The new best one, as mostly near the price: nothing is searched.
            level.worse, level.better = best, None
            best.better = self.best = level
            self._levels[key] = level
            blocks[-1].append(key)
            if len(blocks[-1]) > BLOCK_MAX:
                self._split(len(blocks) - 1)
            return
        worse, better = self._neighbours(key)
        level.worse, level.better = worse, better
        if worse is not None:
            worse.better = level
        if better is None:
            self.best = level
        else:
            better.worse = level
        self._levels[key] = level

    def _neighbours(self, key: int) -> tuple[Level | None, Level | None]:
        """Put the key in its place; the levels next to it."""
        blocks, firsts = self._blocks, self._firsts
        if not blocks:
            blocks.append([key])
            firsts.append(key)
            return None, None
        at = max(0, bisect_right(firsts, key) - 1)
        block = blocks[at]
        place = bisect_left(block, key)
        if place:
            worse: Level | None = self._levels[block[place - 1]]
            better = worse.better if worse is not None else None
        else:
            # Below the first key of all: blocks begin where `firsts` says.
            better = self._levels[block[0]]
            worse = None
            firsts[at] = key
        block.insert(place, key)
        if len(block) > BLOCK_MAX:
            self._split(at)
        return worse, better

    def _split(self, at: int) -> None:
        """Make two blocks of one that has grown too long."""
        block, half = self._blocks[at], BLOCK_MAX // 2
        self._blocks.insert(at + 1, block[half:])
        self._firsts.insert(at + 1, block[half])
        del block[half:]

    def remove(self, key: int, level: Level) -> None:
        """Take out an empty level."""
        worse, better = level.worse, level.better
        level.worse = level.better = None
        if worse is not None:
            worse.better = better
        del self._levels[key]
        if better is None:
            # The best one has the last key of all.
            self.best = worse
            last = self._blocks[-1]
            last.pop()
            if not last:
                self._blocks.pop()
                self._firsts.pop()
            return
        better.worse = worse
        at = bisect_right(self._firsts, key) - 1
        block = self._blocks[at]
        place = bisect_left(block, key)
        del block[place]
        if not block:
            del self._blocks[at], self._firsts[at]
        elif place == 0:
            self._firsts[at] = block[0]

    def keys(self) -> list[int]:
        """All keys, the worst first."""
        return [key for block in self._blocks for key in block]
