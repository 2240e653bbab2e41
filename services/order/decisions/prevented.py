"""Which self-trades of an account were prevented: by their own id, or those of an order.

The ledger keeps those that ended an order and those that made two orders smaller in tables of their own. Ids
of both are seqs of events, so they rise in time, and whoever asks from the last one that he has seen misses
none (binance-spot-api 2.8).
"""

from typing import Final

from services.order.shapes.prevention import PreventedMatch, decrement_match, matches_of_orders
from services.order.view.history import History

__all__ = ["match_of_id", "matches_of_order"]

# Before ids rose in time, those of decrements stood behind this number: who has such an id may go on with it.
_DECREMENTS_ONCE_FROM: Final = 2**52


async def matches_of_order(
    history: History, user_id: int, market_id: int, order_id: int, from_id: int, count: int
) -> list[PreventedMatch]:
    """The first of an order's matches whose ids are `from_id` or larger. Raises ApiError."""
    from_id %= _DECREMENTS_ONCE_FROM
    closed, counters = await history.prevented(user_id, market_id, order_id, from_id, count)
    found = [match for match in matches_of_orders(closed, counters) if match.match_id >= from_id]
    rows = await history.decrements(user_id, market_id, order_id, from_id, count)
    found += [decrement_match(*row) for row in rows]
    return sorted(found, key=lambda match: match.match_id)[:count]


async def match_of_id(history: History, user_id: int, market_id: int, match_id: int) -> list[PreventedMatch]:
    """The one with this id, if there is one. Raises ApiError."""
    match_id %= _DECREMENTS_ONCE_FROM
    rows = await history.decrement(user_id, market_id, match_id)
    if rows:
        return [decrement_match(*row) for row in rows]
    closed, counters = await history.prevented_by_id(user_id, market_id, match_id)
    return matches_of_orders(closed, counters)
