"""A clock that stands still while this process does: what waited for us did not wait for others. Pure.

The loop beats; a beat that comes late tells of a pause of our own, be it a collection, a long callback or the
machine. Whoever judges others by their age (exchange/log/admission.py) counts without such pauses.

Only so much of them, though: a process that is always late is slow, and has to be judged by the wall's clock.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["BEAT_S", "AttendedClock"]

# How often the loop beats.
BEAT_S: Final = 0.01
# So late is no pause yet.
_LATE_S: Final = 0.02
# What may be left out at once, and how it grows back: a twentieth of the time.
_FORGIVEN_S_MAX: Final = 1.0
_FORGIVEN_PART: Final = 0.05


class AttendedClock:
    """Seconds of `clock_s` without the pauses between beats. Never goes back."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._beat_s: float | None = None
        self._left_out_s = 0.0
        self._budget_s = _FORGIVEN_S_MAX

    def now_s(self) -> float:
        """The time now. Without beats, as in a process that has no pulse, that of `clock_s`."""
        now_s = self._clock_s()
        return now_s - self._left_out_s - self._pause_s(now_s)

    def beat(self) -> float:
        """The loop has come round; returns how late, in seconds."""
        now_s = self._clock_s()
        before_s = now_s if self._beat_s is None else self._beat_s
        pause_s = self._pause_s(now_s)
        self._left_out_s += pause_s
        regained_s = (now_s - before_s) * _FORGIVEN_PART
        self._budget_s = min(_FORGIVEN_S_MAX, self._budget_s - pause_s + regained_s)
        self._beat_s = now_s
        return max(0.0, now_s - before_s - BEAT_S)

    def stop(self) -> None:
        """No beat comes any more."""
        self._left_out_s += self._pause_s(self._clock_s())
        self._beat_s = None

    def _pause_s(self, now_s: float) -> float:
        """What is to be left out since the last beat."""
        if self._beat_s is None:
            return 0.0
        return max(0.0, min(now_s - self._beat_s - BEAT_S - _LATE_S, self._budget_s))
