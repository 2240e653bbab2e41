"""Outcomes in portions, between which a process gives others their turn.

What has come in one read may be a thousand small outcomes, or one with a thousand fills; applied without a
pause it would keep every socket and every request of the process waiting.
"""

from collections.abc import Iterator, Sequence

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.limits import EVENTS_PER_TURN_MAX

__all__ = ["portions"]


def portions(
    outcomes: Sequence[CommandOutcome], events_max: int = EVENTS_PER_TURN_MAX
) -> Iterator[Sequence[CommandOutcome]]:
    """The outcomes in order, in portions of about `events_max` events; an outcome is never split."""
    first = events = 0
    for position, outcome in enumerate(outcomes):
        count = len(outcome.events)
        if events and events + count > events_max:
            yield outcomes[first:position]
            first, events = position, 0
        events += count
    if first < len(outcomes):
        yield outcomes[first:]
