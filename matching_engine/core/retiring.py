"""A market ends for good: its open orders are cancelled, a bounded number a command (ADR 0045)."""

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import Outcome
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market
from matching_engine.core.matching import close
from matching_engine.core.order import Order

__all__ = ["close_retired", "retire"]


def retire(state: EngineState, market: Market, events: Outcome) -> None:
    """Begin to cancel what is open in a market that takes nothing more."""
    state.retiring[market.rules.market_id] = True
    close_retired(state, events)


def close_retired(state: EngineState, events: Outcome) -> None:
    """Cancel what is open in markets that have ended, as far as one command goes; each has its turn.

    Bids by price, then asks, then what waits: as it would have been met.
    """
    left = state.limits.open_orders_max
    for market_id in list(state.retiring):
        market = state.markets[market_id]
        while left > 0:
            order = _next_order(market)
            if order is None:
                break
            before = events.count
            close(state, market, order, codes.EXPIRED, codes.CLOSED_MARKET_RETIRED, "", 0, events)
            # Its list may have ended with it; a list's end weighs less than an order's.
            left -= events.count - before
        if left <= 0:
            return
        del state.retiring[market_id]
        state.backlog.pop(market_id, None)
        if market.waiting is not None:
            market.waiting.forget()


def _next_order(market: Market) -> Order | None:
    order = market.book.best(BUY)
    if order is None:
        order = market.book.best(SELL)
    if order is None and market.waiting is not None:
        order = market.waiting.any_order()
    return order
