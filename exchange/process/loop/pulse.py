"""The pulse of a process: how late its loop is, what the collector takes, how long it stood still at most.

One in every process (`exchange/process/frame.py`), a hundred beats a second: about 0.1 % of a core. The
longest callback is known to within a beat: it is how late the loop came round, as uvloop tells nobody of
single ones.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from exchange.process.loop.attended import BEAT_S, AttendedClock

__all__ = ["attended_s", "beating"]

# The longest of this minute and the one before is what the gauges tell: no scrape misses it.
_WINDOW_S: Final = 60.0
_GENERATIONS: Final = ("young", "middle", "full")

_lag_s = Histogram(
    "exchange_loop_lag_seconds",
    "How late the event loop came round to a beat.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
_longest_callback_s = Gauge(
    "exchange_loop_longest_callback_seconds",
    "Longest time in which the loop did not come round, lately.",
)
_collector_s = Counter("exchange_collector_seconds_total", "Time in the garbage collector.", ["generation"])
_longest_collection_s = Gauge("exchange_collector_longest_seconds", "Longest garbage collection, lately.")

_clock: Final = AttendedClock(time.monotonic)


def attended_s() -> float:
    """Monotonic seconds without pauses of this process, as far as they are forgiven (AttendedClock)."""
    return _clock.now_s()


class Longest:
    """The largest value of this window and the one before. Pure."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._now = self._before = 0.0

    def saw(self, value: float, at_s: float) -> float:
        """Count one; returns the largest."""
        if at_s - self._since_s >= _WINDOW_S:
            is_recent = at_s - self._since_s < 2 * _WINDOW_S
            self._before, self._now = (self._now if is_recent else 0.0), 0.0
            self._since_s = at_s
        self._now = max(self._now, value)
        return max(self._now, self._before)


class _Collector:
    """Takes the time of collections. They begin anywhere, also inside a metric's lock: only numbers here."""

    def __init__(self) -> None:
        self._started_s = 0.0
        self.took_s = [0.0] * len(_GENERATIONS)
        self.longest_s = 0.0

    def __call__(self, phase: str, told: Mapping[str, Any]) -> None:
        if phase == "start":
            self._started_s = time.perf_counter()
            return
        took_s = time.perf_counter() - self._started_s
        self.took_s[told["generation"]] += took_s
        self.longest_s = max(self.longest_s, took_s)


class _Pulse:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._longest_lag, self._longest_collection = Longest(), Longest()
        self._collector = _Collector()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        gc.callbacks.append(self._collector)
        self._beat()

    def stop(self) -> None:
        gc.callbacks.remove(self._collector)
        if self._timer is not None:
            self._timer.cancel()
        _clock.stop()

    def _beat(self) -> None:
        lag_s = _clock.beat()
        now_s = self._loop.time()
        _lag_s.observe(lag_s)
        _longest_callback_s.set(self._longest_lag.saw(lag_s, now_s))
        collector = self._collector
        for generation, took_s in enumerate(collector.took_s):
            if took_s:
                collector.took_s[generation] = 0.0
                _collector_s.labels(_GENERATIONS[generation]).inc(took_s)
        _longest_collection_s.set(self._longest_collection.saw(collector.longest_s, now_s))
        collector.longest_s = 0.0
        self._timer = self._loop.call_later(BEAT_S, self._beat)


@contextlib.contextmanager
def beating() -> Iterator[None]:
    """Beat in the running loop, and count what the collector takes. One at a time in a process."""
    pulse = _Pulse(asyncio.get_running_loop())
    pulse.start()
    try:
        yield
    finally:
        pulse.stop()
