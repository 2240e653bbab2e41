"""When a trailing stop begins to follow the price, as its sender is told (`trailingTime`, `D`)."""

from exchange.contracts.codes import STATE_WAITING

__all__ = ["follows_at_once"]


def follows_at_once(state: int, trailing_bips: int, stop_price_ticks: int) -> bool:
    """Whether an order follows the price from the moment on in which it has this state.

    With a stop price it does so once that is reached (Binance's FAQ on trailing stops), which an event tells.
    """
    return state == STATE_WAITING and trailing_bips > 0 and stop_price_ticks == 0
