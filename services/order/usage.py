"""How much each address and each account has used: the numbers in the X-MBX headers (section 1).

Counted per process, in windows aligned to the clock; limits are published, not yet enforced here.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["ORDERS_PER_10S_MAX", "ORDERS_PER_DAY_MAX", "WEIGHT_PER_MINUTE_MAX", "Usage"]

WEIGHT_PER_MINUTE_MAX: Final = 6_000
ORDERS_PER_10S_MAX: Final = 100
ORDERS_PER_DAY_MAX: Final = 200_000
ADDRESSES_MAX: Final = 100_000
_MINUTE_MS: Final = 60_000
_TEN_SECONDS_MS: Final = 10_000
_DAY_MS: Final = 86_400_000


class Usage:
    """Counters. Each keeps one window and forgets everything when the next begins."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._windows = {_MINUTE_MS: -1, _TEN_SECONDS_MS: -1, _DAY_MS: -1}
        self._weights: dict[str, int] = {}
        self._orders_10s: dict[int, int] = {}
        self._orders_1d: dict[int, int] = {}

    def add_weight(self, client_ip: str, weight: int) -> int:
        """Count a request; return what the address has used in this minute."""
        self._turn(_MINUTE_MS, self._weights)
        if len(self._weights) >= ADDRESSES_MAX and client_ip not in self._weights:
            return weight
        used = self._weights.get(client_ip, 0) + weight
        self._weights[client_ip] = used
        return used

    def add_orders(self, user_id: int, count: int) -> tuple[int, int]:
        """Count placed orders (0: only look); return the account's orders in these 10 s and this day."""
        self._turn(_TEN_SECONDS_MS, self._orders_10s)
        self._turn(_DAY_MS, self._orders_1d)
        if count:
            self._orders_10s[user_id] = self._orders_10s.get(user_id, 0) + count
            self._orders_1d[user_id] = self._orders_1d.get(user_id, 0) + count
        return self._orders_10s.get(user_id, 0), self._orders_1d.get(user_id, 0)

    def order_limits(self, user_id: int) -> list[dict[str, object]]:
        """GET /rateLimit/order."""
        ten_seconds, day = self.add_orders(user_id, 0)
        return [
            _limit("ORDERS", "SECOND", 10, ORDERS_PER_10S_MAX, ten_seconds),
            _limit("ORDERS", "DAY", 1, ORDERS_PER_DAY_MAX, day),
        ]

    def weight_limit(self, client_ip: str) -> dict[str, object]:
        """The address's request weight, as WebSocket API replies show it."""
        used = self._weights.get(client_ip, 0)
        return _limit("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_PER_MINUTE_MAX, used)

    def _turn(self, length_ms: int, counts: dict[str, int] | dict[int, int]) -> None:
        window = self._clock_ms() // length_ms
        if self._windows[length_ms] != window:
            self._windows[length_ms] = window
            counts.clear()


def _limit(kind: str, interval: str, interval_count: int, limit: int, count: int) -> dict[str, object]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": interval_count,
        "limit": limit,
        "count": count,
    }
