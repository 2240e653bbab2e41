"""Admission control: refuse a command now rather than let it, and all behind it, wait too long.

The wait of a command that would be sent now is estimated from the others of this process:
how many are ahead, divided by the pace at which they are being decided. The pace is a delivery rate as
in Cardwell and others, "BBR: Congestion-Based Congestion Control" (ACM Queue 14-5): how many were decided
between a command's sending and its own decision. Two signals keep it honest:

- a command that waited long tells the true pace, because others were in front of it all the time; one
  that waited short tells only that the pace is at least so high;
- while nothing is decided there is no pace to measure: then the age of the oldest command speaks;
- after a pause the first decisions look slow, because the pause is in their wait. So a pace that falls is
  believed when it has stayed low for a moment: the highest of a short time counts, as in BBR's filter.

An engine that lets a command pass its deadline stands still, for all that is known. From then until
something is decided again one command at a time is let through, to find out: what is sent into a halt is
decided whenever the halt ends, and its sender was long told that nobody knows.

Pure: the clock is handed in, so that tests own it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

__all__ = ["AdmissionControl"]

# What may wait before anything is known of the pace, and at the least later on: a log that is slow to
# answer, with little to do, looks like a slow engine. Doubles with each round trip while all goes well.
_FIRST_WAITING: Final = 64
# From this part of the bound on, a wait counts as a long one.
_LONG_WAIT_PART: Final = 8
# So many decided in one long wait are a pace; fewer may be a pause.
_PACE_DECISIONS_MIN: Final = 4
_SHORTEST_S: Final = 0.001
# A pace that falls is doubted for one to two such parts of the bound.
_DOUBT_PART: Final = 10


class _Sent(NamedTuple):
    """A command on its way: since when, and how far decisions were at that time."""

    at_s: float
    decided: int
    last_decision_s: float


class AdmissionControl:
    """Estimates the wait of a command. `wait_max_s` is the wait that is still acceptable.

    Call `sent` and `decided` for every command; one without a decision for `forget_after_s` is forgotten.
    Then nothing is believed about the pace any more, and the engine counts as stalled.
    """

    def __init__(self, *, wait_max_s: float, forget_after_s: float, clock_s: Callable[[], float]) -> None:
        self._wait_max_s = wait_max_s
        self._forget_after_s = forget_after_s
        self._clock_s = clock_s
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._decided = 0
        self._last_decision_s = clock_s()
        self._pace_min = _FIRST_WAITING / wait_max_s
        self._pace = self._pace_min
        # The highest pace of this moment and of the one before it.
        self._moment_s = clock_s()
        self._highest = self._highest_before = self._pace_min
        self._stalled_since_s: float | None = None

    @property
    def undecided(self) -> int:
        """Commands that were sent and not decided; also those whose callers have gone."""
        return len(self._sent)

    @property
    def is_stalled(self) -> bool:
        """Whether a command has passed its deadline, and nothing was decided since."""
        self._forget(self._clock_s())
        return self._stalled_since_s is not None

    def estimated_wait_s(self) -> float:
        """How long a command sent now would wait for its decision."""
        now_s = self._clock_s()
        self._forget(now_s)
        if not self._sent:
            return 0.0
        if self._stalled_since_s is not None:
            return now_s - self._stalled_since_s
        oldest = next(iter(self._sent.values()))
        age_s = now_s - oldest.at_s
        pace = self._pace
        decided = self._decided - oldest.decided
        if decided >= _PACE_DECISIONS_MIN and age_s * _LONG_WAIT_PART >= self._wait_max_s:
            pace = min(pace, max(self._pace_min, decided / (now_s - oldest.last_decision_s)))
        return max(age_s, len(self._sent) / self._believed(pace, now_s))

    def sent(self, command_id: int) -> None:
        """A command is on its way."""
        now_s = self._clock_s()
        if not self._sent:
            self._last_decision_s = now_s
        self._sent[command_id] = _Sent(now_s, self._decided, self._last_decision_s)

    def decided(self, command_ids: Iterable[int]) -> None:
        """Decisions have come; ids that this process did not send tell only that the engine works."""
        oldest: _Sent | None = None
        for command_id in command_ids:
            self._stalled_since_s = None
            found = self._sent.pop(command_id, None)
            if found is not None:
                self._decided += 1
                oldest = oldest or found
        if oldest is None:
            return
        now_s = self._clock_s()
        self._last_decision_s = now_s
        took_s = max(now_s - oldest.last_decision_s, _SHORTEST_S)
        pace = (self._decided - oldest.decided) / took_s
        waited_long = (now_s - oldest.at_s) * _LONG_WAIT_PART >= self._wait_max_s
        if pace > self._pace or waited_long:
            self._pace = max(pace, self._pace_min)

    def _believed(self, pace: float, now_s: float) -> float:
        """The highest pace of the last moment or two. However long nobody asked, the last answer counts."""
        if now_s - self._moment_s >= self._wait_max_s / _DOUBT_PART:
            self._moment_s = now_s
            self._highest_before, self._highest = self._highest, pace
        self._highest = max(self._highest, pace)
        return max(self._highest, self._highest_before)

    def _forget(self, now_s: float) -> None:
        """Decisions that never came: whoever waited for them has long been told so."""
        while self._sent:
            command_id, oldest = next(iter(self._sent.items()))
            if now_s - oldest.at_s < self._forget_after_s:
                return
            del self._sent[command_id]
            self._pace = self._pace_min
            if self._stalled_since_s is None:
                self._stalled_since_s = oldest.at_s
