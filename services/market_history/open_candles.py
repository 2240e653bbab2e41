"""The candles of one market that a trade may still change. Pure."""

from collections.abc import Mapping

from exchange.trading.candles import STEPS_MS, Candle, Series
from exchange.trading.trades import Trade

__all__ = ["OpenCandles", "openings"]

# Only the newest candle of a step ever changes.
_KEPT = 1


def openings(time_ms: int) -> dict[int, int]:
    """Step -> where the candle of that step begins that a trade of this time belongs to."""
    return {step_ms: time_ms - time_ms % step_ms for step_ms in STEPS_MS}


class OpenCandles:
    """Takes trades in the order of their ids.

    `stored`: step -> the candle that the first trade belongs to, as the table has it. It may hold that trade
    and later ones already, when they were written but the position was not; it lacks none before them.
    """

    def __init__(self, stored: Mapping[int, Candle]) -> None:
        self._series = [Series(step_ms, _KEPT) for step_ms in STEPS_MS]
        for series in self._series:
            if series.step_ms in stored:
                series.load([stored[series.step_ms]], 0)

    def add(self, trade: Trade) -> list[tuple[int, Candle]]:
        """The candles that the trade has changed, each with its step."""
        return [
            (series.step_ms, series.add(trade))
            for series in self._series
            if not series.rows or series.rows[-1].last_id < trade.id
        ]
