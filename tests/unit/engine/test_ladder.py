"""The ladder of price levels against a sorted list, and what a new level moves in a deep one."""

import os
import random

import pytest

from matching_engine.core import ladder as ladder_module
from matching_engine.core.ladder import BLOCK_MAX, Ladder
from matching_engine.core.order import Level

SEED = int(os.environ.get("SEED", "7"))


def walked(ladder: Ladder) -> list[int]:
    """Prices from the best level to the worst, checked both ways."""
    found, level = [], ladder.best
    while level is not None:
        found.append(level.price_ticks)
        assert level.worse is None or level.worse.better is level
        level = level.worse
    return found


def check(ladder: Ladder, levels: dict[int, Level]) -> None:
    assert [level.key for level in ladder.levels()] == sorted(levels)
    assert walked(ladder) == sorted(levels, reverse=True)
    assert ladder._firsts == [block[0] for block in ladder._blocks]
    assert all(0 < len(block) <= BLOCK_MAX for block in ladder._blocks)


def test_levels_come_and_go_in_any_order() -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    ladder, levels = Ladder(), dict[int, Level]()
    for step in range(40_000):
        # It grows, shrinks to nothing, and grows again.
        grows = step // 8_000 % 2 == 0
        key = draw.randrange(6_000)
        if key in levels and (not grows or draw.random() < 0.3):
            ladder.remove(levels.pop(key))
        elif key not in levels and (grows or draw.random() < 0.1):
            levels[key] = Level(key)
            ladder.insert(key, levels[key])
        assert ladder.find(key) is levels.get(key)
        if step % 1_000 == 0:
            check(ladder, levels)
    for key in sorted(levels, key=lambda _: draw.random()):
        ladder.remove(levels.pop(key))
    check(ladder, {})
    assert ladder.best is None


def test_no_list_that_a_new_level_moves_grows_with_the_book() -> None:
    """A new level moves one block and the list of their beginnings, not all others as in one sorted list."""
    draw = random.Random(SEED)
    ladder, held = Ladder(), 30_000
    levels = {key: Level(key) for key in draw.sample(range(0, 10_000_000, 2), held)}
    for key, level in levels.items():
        ladder.insert(key, level)
    for key in draw.sample(sorted(levels), held // 2):
        ladder.remove(levels.pop(key))
    check(ladder, levels)
    # Blocks are halved when full, so those of a growing book are half full at least.
    assert len(ladder._blocks) <= 2 * held // BLOCK_MAX + 1


def test_the_best_level_comes_and_goes_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crossing order empties the best level of a deep book: nothing is looked for among the others."""
    ladder = Ladder()
    for key in range(10_000):
        ladder.insert(key, Level(key))

    def searched(*_: object) -> int:
        raise AssertionError("a search for the best level")

    # The compiled build has taken this name already, and is the same code.
    monkeypatch.setattr(ladder_module, "place_of", searched)
    for key in range(10_000, 10_000 + 3 * BLOCK_MAX):
        level = Level(key)
        ladder.insert(key, level)
        if key % 3:
            ladder.remove(level)
    for _ in range(2 * BLOCK_MAX):
        best = ladder.best
        assert best is not None
        ladder.remove(best)
    monkeypatch.undo()
    check(ladder, {key: Level(key) for key in range(10_000) if ladder.find(key)})
