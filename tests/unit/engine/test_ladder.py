"""The ladder of price levels against a sorted list, and what a new level costs in a deep one."""

import os
import random
import time

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
    assert ladder.keys() == sorted(levels)
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
            ladder.remove(key, levels.pop(key))
        elif key not in levels and (grows or draw.random() < 0.1):
            levels[key] = Level(key)
            ladder.insert(key, levels[key])
        assert ladder.find(key) is levels.get(key)
        if step % 1_000 == 0:
            check(ladder, levels)
    for key in sorted(levels, key=lambda _: draw.random()):
        ladder.remove(key, levels.pop(key))
    check(ladder, {})
    assert ladder.best is None


def seconds_of(levels: int) -> float:
    """CPU time of a thousand new levels, each gone again, among so many."""
    draw = random.Random(SEED)
    ladder = Ladder()
    for key in draw.sample(range(0, 10_000_000, 2), levels):
        ladder.insert(key, Level(key))
    keys = draw.sample(range(1, 10_000_001, 2), 1_000)
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for key in keys:
            level = Level(key)
            ladder.insert(key, level)
            ladder.remove(key, level)
        best = min(best, time.process_time() - started)
    return best


def test_a_level_among_a_hundred_thousand_costs_about_that_of_one_among_a_hundred() -> None:
    """A sorted list of this length moves 0.8 MB for one; a ratio, in one run."""
    few, many = seconds_of(100), seconds_of(100_000)
    assert many < 4 * few, f"{many / few:.1f} times as much"
