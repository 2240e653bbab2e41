"""Whether a figure stays flat: a straight line through its samples, by least squares, after a warm-up.

Flat means that the line rises, from the warm-up's end to the run's end, by no more than GROWTH_MAX of the
mean, or by no more than SLACK, whichever is larger. PostgreSQL, Kafka and Valkey fill caches up to sizes
that are set for them, and thus may grow more; so may the text logs, which are judged by their pace: a cut
client is a line or two in the logs of those who cut it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression, mean
from typing import Final

__all__ = ["GROWTH_MAX", "SERVERS", "SERVER_GROWTH_MAX", "SLACK", "Trend", "trend_of", "warm_up_s"]

MIB: Final = 1024 * 1024
GROWTH_MAX: Final = 0.05
SERVER_GROWTH_MAX: Final = 0.25
SERVERS: Final = frozenset({"kafka", "postgres", "valkey"})
# What is no leak however small the mean.
SLACK: Final[Mapping[str, float]] = {
    "rss_bytes": 6 * MIB,
    "pss_bytes": 6 * MIB,
    "descriptors": 20,
    "threads": 4,
    "tasks": 50,
    "log_bytes": 0,
}
LOG_BYTES_PER_HOUR_MAX: Final = 2 * MIB
LOG_BYTES_PER_CUT_MAX: Final = 1_500
WARM_UP_PART: Final = 1 / 3
SAMPLES_MIN: Final = 5


@dataclass(frozen=True)
class Trend:
    """One figure of one process over the judged part of the run."""

    process: str
    figure: str
    mean: float
    growth: float
    allowed: float
    samples: int

    @property
    def is_flat(self) -> bool:
        """Whether it grew no more than it may."""
        return self.growth <= self.allowed


def warm_up_s(duration_s: float) -> float:
    """The first seconds, which are not judged: caches fill, pools open, the JVM compiles."""
    return duration_s * WARM_UP_PART


def trend_of(
    process: str, figure: str, times_s: Sequence[float], values: Sequence[float], cuts: int = 0
) -> Trend:
    """Judge the samples of a figure; `times_s` begin with the warm-up's end, `cuts` is of the whole run.

    Raises ValueError on too few samples.
    """
    if len(values) < SAMPLES_MIN:
        raise ValueError(f"{process} has only {len(values)} samples of {figure}")
    slope, _ = linear_regression(times_s, values)
    lasted_s = times_s[-1] - times_s[0]
    ratio = SERVER_GROWTH_MAX if process in SERVERS else GROWTH_MAX
    middle = mean(values)
    if figure == "log_bytes":
        allowed = LOG_BYTES_PER_HOUR_MAX * lasted_s / 3600 + LOG_BYTES_PER_CUT_MAX * cuts
    else:
        allowed = max(ratio * middle, SLACK[figure])
    return Trend(process, figure, middle, slope * lasted_s, allowed, len(values))
