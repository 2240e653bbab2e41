"""How far the engine's clock, which follows the brokers', is ahead of this process's.

Seen from the outcomes that come: an outcome's time less our own at its arrival is the difference less what
its way took, so the greatest of a moment is the best. Negative when the engine's clock is behind.
"""

from typing import Final

from prometheus_client import Gauge

__all__ = ["EngineClock"]

# How long one window is. What counts is the greatest of the present one and of the one before it.
_WINDOW_MS: Final = 5_000

_skew_s = Gauge(
    "exchange_clock_skew_seconds", "The engine's clock less that of this process, as last seen", ["sender"]
)


class EngineClock:
    """Measures, and shows what it measured under `name`. Pure but for that: times are handed in."""

    def __init__(self, name: str) -> None:
        self._shown = _skew_s.labels(name)
        self._window_ms = 0
        self._greatest: int | None = None
        self._greatest_before: int | None = None
        # The engine's clock less ours; 0 while nothing is known.
        self.skew_ms = 0

    def saw(self, time_ms: int, now_ms: int) -> None:
        """An outcome of the engine's time `time_ms` has come at our `now_ms`."""
        skew_ms = time_ms - now_ms
        if abs(now_ms - self._window_ms) >= _WINDOW_MS:
            self._window_ms = now_ms
            self._greatest_before, self._greatest = self._greatest, skew_ms
        elif self._greatest is None or skew_ms > self._greatest:
            self._greatest = skew_ms
        known = [skew_ms for skew_ms in (self._greatest, self._greatest_before) if skew_ms is not None]
        self.skew_ms = max(known)
        self._shown.set(self.skew_ms / 1000)
