"""How far prices moved lately, as one figure for all markets: what an alarm on unusual moves looks at."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Gauge

from exchange.trading.intervals import INTERVALS, MINUTE_MS
from services.market_data.markets.state import MarketState

__all__ = ["largest_move", "tell_moves"]

_MINUTE: Final = INTERVALS["1m"]
_move: Final = Gauge(
    "exchange_market_data_price_move_ratio",
    "Highest price by lowest, less one, in this minute and the one before; of the market where that is most",
)


def largest_move(state: MarketState, now_ms: int) -> float:
    """The largest move of a market within a minute of `now_ms`; 0 where nothing was traded."""
    minute_ms = now_ms - now_ms % MINUTE_MS
    moves = [
        candle.high_ticks / candle.low_ticks - 1
        for view in state.views.values()
        for candle in view.candles.base(_MINUTE).between(minute_ms - MINUTE_MS, minute_ms + MINUTE_MS)
    ]
    return max(moves, default=0.0)


def tell_moves(state: Callable[[], MarketState], clock_ms: Callable[[], int]) -> None:
    """Make the figure whenever somebody asks for metrics, and at no other time."""
    _move.set_function(lambda: largest_move(state(), clock_ms()))
