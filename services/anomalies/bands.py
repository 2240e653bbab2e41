"""A band: what is usual of one number, learned window by window, and the limit that follows from it. Pure.

Integers alone, so every replay learns the same. The mean and the mean distance from it are weighted
exponentially: a window counts a sixteenth, one of five minutes ago an eighth of that.
"""

from typing import Final, NamedTuple

__all__ = ["LEARNED_WINDOWS", "Band", "BandRule"]

# What was learned in fewer windows (five minutes) bounds nothing: only `hard` does.
LEARNED_WINDOWS: Final = 30
WEIGHT: Final = 16
# How many mean distances beyond the mean are still usual. Of a normal distribution that is 6.4 sigma.
DISTANCES: Final = 8
# The unit of what is learned: a thousandth.
_SCALE: Final = 1_000
# After so many idle windows nothing is left of what was learned, to a tenth.
_IDLE_WINDOWS_MAX: Final = 40


class BandRule(NamedTuple):
    """`floor`: what is never unusual, so that little beside nothing is no alarm. `hard`: what always is."""

    floor: int
    hard: int


class Band:
    """The limit of one number: a value above it is unusual."""

    __slots__ = ("_deviation", "_mean", "_rule", "_windows", "limit")

    def __init__(self, rule: BandRule) -> None:
        self._rule = rule
        self._mean = self._deviation = self._windows = 0
        self.limit = rule.hard

    def learn(self, value: int) -> None:
        """A window has ended with this value. What was beyond the limit teaches no more than the limit."""
        if not self._windows:
            self._mean = min(value, self.limit) * _SCALE
        beyond = min(value, self.limit) * _SCALE - self._mean
        self._mean += beyond // WEIGHT
        self._deviation += (abs(beyond) - self._deviation) // WEIGHT
        self._windows += 1
        if self._windows >= LEARNED_WINDOWS:
            # Twice what is usual is still usual, however even it was.
            spread = max(DISTANCES * self._deviation, self._mean)
            self.limit = min(self._rule.hard, max(self._rule.floor, (self._mean + spread) // _SCALE))

    def idle(self, windows: int) -> None:
        """So many windows have passed in which nothing happened."""
        for _ in range(min(windows, _IDLE_WINDOWS_MAX)):
            self.learn(0)
