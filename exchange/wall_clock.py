"""The wall clock of this machine in whole milliseconds and microseconds: nobody else makes them of it.

What has to be tried at another time takes one of these functions as a parameter, and never the time itself.
"""

import time

__all__ = ["clock_ms", "clock_us"]


def clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000
