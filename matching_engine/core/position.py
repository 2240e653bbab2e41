"""What the open BUY orders of a trader would bring, kept as a sum (MAX_POSITION, binance-spot-api 2.2).

A plain order counts with its open lots, in `EngineState` and at each trade. One with terms counts with
what `Terms.counted_lots` says, and whoever changes its lots, its place or its list has it counted anew.
The sum follows from the orders: a snapshot does not tell it.
"""

from exchange.contracts import codes
from exchange.contracts.codes import BUY
from matching_engine.core.order import Order, Terms

__all__ = ["count_buy", "is_second_leg"]


def count_buy(order: Order, terms: Terms) -> None:
    """Let the trader's `open_buy_lots` say what is true of an order with terms now."""
    if order.side != BUY:
        return
    lots = order.lots_left() if terms.is_known and not is_second_leg(order, terms) else 0
    order.trader.open_buy_lots += lots - terms.counted_lots
    terms.counted_lots = lots


def is_second_leg(order: Order, terms: Terms) -> bool:
    """Whether another leg of an OCO, placed or pending, counts for this one: one of them can be filled."""
    order_list = terms.order_list
    if order_list is None or order is order_list.working:
        return False
    is_oco = order_list.contingency in (codes.CONTINGENCY_OCO, codes.CONTINGENCY_OTOCO)
    return is_oco and order is order_list.orders[-1]
