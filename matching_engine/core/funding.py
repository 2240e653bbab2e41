"""What the working order of an OPO or OPOCO has bought is kept for its pending orders (ADR 0046).

Source: Binance's FAQ on One-Pays-the-Other. What comes in is held at once, so that nothing else can spend it;
how many lots that makes is decided when the working order is filled.
"""

from exchange.contracts import codes
from exchange.contracts.events import Outcome, TradeExecuted
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.order_events import PendingOrderFunded
from matching_engine.core.market import Market
from matching_engine.core.order import Order, OrderList

__all__ = ["fund_pending", "funded_lots", "pays_pending"]


def pays_pending(contingency: int) -> bool:
    """Whether the pending orders of such a list sell what its working order buys."""
    return contingency == codes.CONTINGENCY_OPO or contingency == codes.CONTINGENCY_OPOCO


def fund_pending(
    market: Market, order: Order, order_list: OrderList, told_from: int, events: Outcome
) -> None:
    """Hold what a working order bought in the trades that `events` tell from `told_from` on.

    The fee has been taken out of it; what else is available pays for that if there is enough, so that the
    pending orders sell all that was bought. The first pending order holds it, for all of its list.
    """
    if order_list.working is not order or not pays_pending(order_list.contingency):
        return
    base = fee = 0
    for at in range(told_from, events.count):
        event = events.at(at)
        if isinstance(event, TradeExecuted) and event.buyer_order_id == order.order_id:
            base += event.base_atoms
            fee += event.buyer_fee_atoms + _discounted_in_base(market, event)
    if base == 0:
        return
    balance = order.trader.base
    held = base if balance.available >= base else base - fee
    balance.hold(held)
    pending = order_list.orders[1]
    pending.held_atoms += held
    events.append(
        PendingOrderFunded(pending.order_id, pending.user_id, pending.market_id, pending.side, 0, held, 0)
    )


def _discounted_in_base(market: Market, event: TradeExecuted) -> int:
    """What a trade has taken from its buyer's base asset because that is the discount asset."""
    if not isinstance(event, TradeExecutedWithDiscount):
        return 0
    if event.discount_asset_id != market.rules.base_asset_id:
        return 0
    fee = event.buyer_discount_fee_atoms
    return fee + event.seller_discount_fee_atoms if event.seller_user_id == event.buyer_user_id else fee


def funded_lots(market: Market, orders: list[Order]) -> int:
    """How many lots the pending orders of a list may sell: whole steps, and no more than their types may."""
    rules, filters = market.rules, market.filters
    lots = min(orders[0].held_atoms // rules.lot_atoms, rules.quantity_lots_max)
    for order in orders:
        terms = order.terms
        if terms is not None and terms.is_market():
            lots = min(lots, rules.market_quantity_lots_max)
            lots -= lots % filters.market_step_lots
    return lots - lots % filters.quantity_step_lots
