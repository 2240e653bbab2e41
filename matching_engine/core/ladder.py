"""The price levels of one side of a book in order, a hundred thousand at the cost of a hundred.

A level knows its neighbours, so matching and walks never search. Only a price that is new, or gone, or comes
again is looked for: among blocks of at most BLOCK_MAX levels, and then within one block.
"""

from typing import Final

from mypy_extensions import i64

from matching_engine.core.order import Level

BLOCK_MAX: Final = 512
_NEAR: Final = 256  # a power of two


class Ladder:
    """Levels by key. Keys grow towards the best price: a bid's is its price, an ask's the negative.

    `best`: the level that trades next, None of an empty side.
    """

    def __init__(self) -> None:
        self.best: Level | None = None
        # Levels by key in blocks, none of them empty, and the first level of each block.
        self._blocks: list[list[Level]] = []
        self._firsts: list[Level] = []
        # Of the levels whose keys end in the same bits, the newest: prices near each other have a slot each.
        self._near: list[Level | None] = [None] * _NEAR

    def find(self, key: int) -> Level | None:
        """The level of this key, None when there is none."""
        best = self.best
        if best is None or key > best.key:
            return None
        if key == best.key:
            return best
        near = self._near[slot_of(key)]
        if near is not None and near.key == key:
            return near
        at = place_of(self._firsts, key + 1) - 1
        if at < 0:
            return None
        block = self._blocks[at]
        place = place_of(block, key)
        if place == len(block):
            return None
        level = block[place]
        return level if level.key == key else None

    def insert(self, key: int, level: Level) -> None:
        """Put in a level whose key is not there yet."""
        level.key = key
        self._near[slot_of(key)] = level
        blocks, best = self._blocks, self.best
        if best is None:
            level.worse = level.better = None
            self.best = level
            blocks.append([level])
            self._firsts.append(level)
        elif key > best.key:
            # The new best one, as mostly near the price: nothing is searched.
            level.worse, level.better = best, None
            best.better = self.best = level
            block = blocks[-1]
            block.append(level)
            if len(block) > BLOCK_MAX:
                self._split(len(blocks) - 1)
        else:
            self._insert_below(key, level)

    def _insert_below(self, key: int, level: Level) -> None:
        """Put in a level that is worse than the best one: the next better one is there."""
        at = max(0, place_of(self._firsts, key) - 1)
        block = self._blocks[at]
        place = place_of(block, key)
        # Above all of its block, it is next to the first of the block behind.
        better = block[place] if place < len(block) else self._firsts[at + 1]
        worse = better.worse
        level.worse, level.better = worse, better
        better.worse = level
        if worse is not None:
            worse.better = level
        block.insert(place, level)
        if place == 0:
            self._firsts[at] = level
        if len(block) > BLOCK_MAX:
            self._split(at)

    def _split(self, at: int) -> None:
        """Make two blocks of one that has grown too long."""
        block, half = self._blocks[at], BLOCK_MAX // 2
        self._blocks.insert(at + 1, block[half:])
        self._firsts.insert(at + 1, block[half])
        del block[half:]

    def remove(self, level: Level) -> None:
        """Take out an empty level."""
        worse, better = level.worse, level.better
        level.worse = level.better = None
        slot = slot_of(level.key)
        if self._near[slot] is level:
            self._near[slot] = None
        if worse is not None:
            worse.better = better
        if better is None:
            # The best one is the last of all.
            self.best = worse
            last = self._blocks[-1]
            last.pop()
            if not last:
                self._blocks.pop()
                self._firsts.pop()
            return
        better.worse = worse
        at = place_of(self._firsts, level.key + 1) - 1
        block = self._blocks[at]
        place = place_of(block, level.key)
        del block[place]
        if not block:
            del self._blocks[at], self._firsts[at]
        elif place == 0:
            self._firsts[at] = block[0]

    def levels(self) -> list[Level]:
        """All levels, the worst first."""
        return [level for block in self._blocks for level in block]

    def let_go(self) -> None:
        """Cut the levels' links: the engine has come to its end."""
        for level in self.levels():
            level.better = level.worse = None
            level.head = level.tail = None
        self.best = None


def slot_of(key: int) -> int:
    """Where a ladder keeps a level of this key at hand. What trails has keys beyond 63 bits."""
    return key & (_NEAR - 1)


def place_of(levels: list[Level], key: int) -> int:
    """Before how many of the levels, which stand in the order of their keys, are lower ones than `key`."""
    low: i64 = 0
    high: i64 = len(levels)
    while low < high:
        middle = (low + high) >> 1
        if levels[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low
