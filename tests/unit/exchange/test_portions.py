"""Portions of outcomes: in order, bounded by events, an outcome never split."""

import random

from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.events import LeaderChanged
from exchange.contracts.limits import EVENTS_PER_TURN_MAX
from exchange.log.portions import portions


def outcome(events: int) -> CommandOutcome:
    return CommandOutcome(
        1, 0, 1, 1, tuple(RecordedEvent(1, b"", LeaderChanged("a", 1)) for _ in range(events))
    )


def test_portions_hold_all_in_order_and_few_events() -> None:
    seed = 7
    chance = random.Random(seed)
    for _ in range(200):
        outcomes = [outcome(chance.choice((1, 2, 3, 40))) for _ in range(chance.randrange(30))]
        cut = list(portions(outcomes, 20))
        assert [o for portion in cut for o in portion] == outcomes, seed
        for portion in cut:
            assert len(portion) == 1 or sum(len(o.events) for o in portion) <= 20, seed
    assert list(portions([])) == []


def test_a_large_outcome_is_a_portion_of_its_own() -> None:
    big = outcome(EVENTS_PER_TURN_MAX + 1)
    assert [len(portion) for portion in portions([outcome(1), big, outcome(1)])] == [1, 1, 1]
