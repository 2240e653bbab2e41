"""Closed candles of long intervals, kept once they have been put together: nothing changes them any more."""

from collections import OrderedDict
from typing import Final

from exchange.trading.candles import Candle
from exchange.trading.intervals import Interval

__all__ = ["CANDLES_KEPT_MAX", "BucketCache"]

# About 400 bytes each.
CANDLES_KEPT_MAX: Final = 50_000
_Key = tuple[int, str, int]


class BucketCache:
    """Candles by market, interval and time zone. What was asked for longest ago is forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, dict[int, Candle]] = OrderedDict()
        self._count = 0

    def of(self, market_id: int, interval: Interval) -> dict[int, Candle]:
        """What is kept, by the candles' beginnings; to be read only."""
        key = (market_id, interval.name, interval.offset_ms)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key, {})

    def keep(self, market_id: int, interval: Interval, candles: list[Candle]) -> None:
        """Keep closed candles."""
        key = (market_id, interval.name, interval.offset_ms)
        kept = self._kept.setdefault(key, {})
        self._kept.move_to_end(key)
        self._count -= len(kept)
        kept.update((candle.open_ms, candle) for candle in candles)
        self._count += len(kept)
        while self._count > CANDLES_KEPT_MAX:
            self._count -= len(self._kept.popitem(last=False)[1])
