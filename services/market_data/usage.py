"""How much request weight each address has used in this minute (binance-spot-api section 1)."""

from typing import Final

__all__ = ["WEIGHT_PER_MINUTE_MAX", "Usage"]

WEIGHT_PER_MINUTE_MAX: Final = 6_000
_ADDRESSES_MAX: Final = 100_000
_MINUTE_MS: Final = 60_000


class Usage:
    """Counted per process, in minutes of the clock. Addresses beyond the bound are not counted."""

    def __init__(self) -> None:
        self._minute = -1
        self._weights: dict[str, int] = {}

    def add(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request and return what the address has used in this minute."""
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._weights.clear()
        if len(self._weights) >= _ADDRESSES_MAX and address not in self._weights:
            return weight
        used = self._weights.get(address, 0) + weight
        self._weights[address] = used
        return used
