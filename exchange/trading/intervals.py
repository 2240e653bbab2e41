"""Candle intervals and where their buckets begin, in UTC or shifted by a time zone. Pure.

Names and the meaning of `timeZone` as in binance-spot-api 2.3; weeks begin on Monday, months on the 1st,
days of `3d` count from 1970-01-01.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "INTERVALS",
    "MINUTE_MS",
    "QUARTER_MS",
    "SECOND_MS",
    "Interval",
    "parse_time_zone",
    "parse_window_ms",
]

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
QUARTER_MS: Final = 15 * MINUTE_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
_WEEK_MS: Final = 7 * DAY_MS
# 1970-01-01 was a Thursday; the first Monday came four days later.
_FIRST_MONDAY_MS: Final = 4 * DAY_MS
_ZONE: Final = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-9]{2}))?", re.ASCII)
_ZONE_MIN_MS: Final = -12 * HOUR_MS
_ZONE_MAX_MS: Final = 14 * HOUR_MS
_WINDOW: Final = re.compile(r"([0-9]{1,2})([mhd])", re.ASCII)
_WINDOW_UNITS: Final = {"m": (MINUTE_MS, 59), "h": (HOUR_MS, 23), "d": (DAY_MS, 7)}


class Interval:
    """An interval seen from one time zone: `offset_ms` is what local time is ahead of UTC."""

    def __init__(self, name: str, step_ms: int, offset_ms: int = 0) -> None:
        self.name = name
        self.step_ms = step_ms  # 0 for the month, the only one without a fixed length
        self.offset_ms = offset_ms
        self._anchor_ms = (_FIRST_MONDAY_MS if step_ms == _WEEK_MS else 0) - offset_ms

    def in_zone(self, offset_ms: int) -> "Interval":
        """The same interval in another time zone."""
        return Interval(self.name, self.step_ms, offset_ms)

    def start_of(self, time_ms: int) -> int:
        """Where the bucket that holds `time_ms` begins."""
        if self.step_ms:
            return time_ms - (time_ms - self._anchor_ms) % self.step_ms
        return _month_start_ms(time_ms + self.offset_ms, 0) - self.offset_ms

    def moved(self, start_ms: int, buckets: int) -> int:
        """The beginning of the bucket `buckets` after (before, if negative) the one at `start_ms`."""
        if self.step_ms:
            return start_ms + buckets * self.step_ms
        return _month_start_ms(start_ms + self.offset_ms, buckets) - self.offset_ms


@lru_cache(maxsize=4096)
def _month_start_ms(local_ms: int, months: int) -> int:
    local = datetime.fromtimestamp(local_ms // 1000, UTC)
    month = max(0, local.year * 12 + local.month - 1 + months)
    if month < 1970 * 12:
        return 0
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000


INTERVALS: Final = {
    name: Interval(name, step_ms)
    for name, step_ms in (
        ("1s", SECOND_MS),
        ("1m", MINUTE_MS),
        ("3m", 3 * MINUTE_MS),
        ("5m", 5 * MINUTE_MS),
        ("15m", QUARTER_MS),
        ("30m", 30 * MINUTE_MS),
        ("1h", HOUR_MS),
        ("2h", 2 * HOUR_MS),
        ("4h", 4 * HOUR_MS),
        ("6h", 6 * HOUR_MS),
        ("8h", 8 * HOUR_MS),
        ("12h", 12 * HOUR_MS),
        ("1d", DAY_MS),
        ("3d", 3 * DAY_MS),
        ("1w", _WEEK_MS),
        ("1M", 0),
    )
}


def parse_time_zone(text: str) -> int | None:
    """Milliseconds that local time is ahead of UTC; None unless it is within -12:00 and +14:00.

    Only quarters of an hour, as all zones of the world are: candles are kept that fine.
    """
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    minutes = int(match[3] or 0)
    if minutes not in (0, 15, 30, 45):
        return None
    offset_ms = int(match[2]) * HOUR_MS + minutes * MINUTE_MS
    if match[1] == "-":
        offset_ms = -offset_ms
    return offset_ms if _ZONE_MIN_MS <= offset_ms <= _ZONE_MAX_MS else None


def parse_window_ms(text: str) -> int | None:
    """Length of a rolling window: 1m to 59m, 1h to 23h, 1d to 7d; None for anything else."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        return None
    count = int(match[1])
    unit_ms, count_max = _WINDOW_UNITS[match[2]]
    return count * unit_ms if 1 <= count <= count_max else None
