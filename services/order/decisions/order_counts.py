"""Order counts go down with fills: so long as an account's orders trade, it can go on (binance-spot-api 1).

The first fill of an order gives back one place as taker and five as maker, whenever it was placed; no later
one does, and no cancellation or expiry. Nobody gets credit: a count does not go below zero.

The process that has sent an order gives back for it, and no other: the counts of all are one (ADR 0028). What
it knows of its orders is in memory and bounded. An order that it has forgotten gives nothing back.
"""

from collections import OrderedDict
from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.http.request_limits import RequestLimits

__all__ = ["FILLED_AS_MAKER", "FILLED_AS_TAKER", "UNFILLED_MAX", "UnfilledOrders"]

# Made once: a union of types is made anew each time that it is asked for.
_ACCEPTED: Final = (OrderAccepted, OrderWithTermsAccepted)
# Places that an order's first fill gives back.
FILLED_AS_TAKER: Final = 1
FILLED_AS_MAKER: Final = 5
# About 150 bytes each.
UNFILLED_MAX: Final = 200_000


class UnfilledOrders:
    """The orders of this process that nothing was traded of yet."""

    def __init__(self, limits: RequestLimits, unfilled_max: int = UNFILLED_MAX) -> None:
        self._limits = limits
        self._unfilled_max = unfilled_max
        self._owner_of: OrderedDict[int, int] = OrderedDict()

    def observe(self, outcome: CommandOutcome, *, is_ours: bool) -> None:
        """Take in one outcome. `is_ours`: whether this process has sent its command."""
        for recorded in outcome.events:
            event = recorded.event
            if isinstance(event, TradeExecuted):
                is_buyer_taker = event.taker_side == codes.BUY
                self._filled(event.buyer_order_id, is_buyer_taker)
                self._filled(event.seller_order_id, not is_buyer_taker)
            elif isinstance(event, _ACCEPTED):
                if is_ours:
                    self._owner_of[event.order_id] = event.user_id
                    if len(self._owner_of) > self._unfilled_max:
                        self._owner_of.popitem(last=False)
            elif isinstance(event, OrderClosed):
                self._owner_of.pop(event.order_id, None)

    def _filled(self, order_id: int, is_taker: bool) -> None:
        user_id = self._owner_of.pop(order_id, None)
        if user_id is not None:
            self._limits.give_back_orders(user_id, FILLED_AS_TAKER if is_taker else FILLED_AS_MAKER)
