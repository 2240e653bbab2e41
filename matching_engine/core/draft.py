"""Orders with terms as they were asked for, and how many of them one account may have."""

from exchange.contracts import codes
from exchange.contracts.codes import SELL
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.order_events import OrderWithTermsAccepted
from matching_engine.core.engine_state import EngineState
from matching_engine.core.filtering import account_rejection, amount_rejection
from matching_engine.core.market import Market
from matching_engine.core.order import Order, Terms, Trader

__all__ = ["Draft", "count_rejection"]


class Draft:
    """An order as it was asked for: its leg, the same as a plain order, and what it is to become.

    `is_funded`: its quantity will be what the working order of its list has bought.
    """

    order: Order | None
    accepted: OrderWithTermsAccepted | None

    def __init__(self, leg: OrderLeg, plain: PlaceOrder, state: int, is_funded: bool = False) -> None:
        self.order = None
        self.accepted = None
        self.is_of_oco = False
        self.is_funded = is_funded
        self.leg = leg
        self.plain = plain
        self.terms = Terms(
            leg.order_type,
            leg.time_in_force,
            leg.stop_price_ticks,
            leg.trailing_bips,
            leg.iceberg_lots,
            leg.peg_price_type,
            leg.peg_offset_levels,
            state,
            0,
            0,
            0,
            0,
        )


def count_rejection(
    state: EngineState, market: Market, trader: Trader, drafts: list[Draft], is_list: bool
) -> int:
    """Whether the user has too many orders of a kind open, or too much of what they buy."""
    limits, filters = state.limits, market.filters
    waiting = icebergs = 0
    for draft in drafts:
        waiting += 1 if draft.terms.waits_for_price() else 0
        icebergs += 1 if draft.leg.iceberg_lots else 0
    if trader.open_orders + len(drafts) > state.open_orders_max(market):
        return codes.REJECT_MAX_NUM_ORDERS
    if waiting and trader.algo_orders + waiting > min(limits.algo_orders_max, filters.algo_orders_max):
        return codes.REJECT_MAX_NUM_ALGO_ORDERS
    icebergs_max = min(limits.iceberg_orders_max, filters.iceberg_orders_max)
    if icebergs and trader.iceberg_orders + icebergs > icebergs_max:
        return codes.REJECT_MAX_NUM_ICEBERG_ORDERS
    if not market.is_filtered:
        return 0
    reason = account_rejection(state, trader, len(drafts), waiting, icebergs, 1 if is_list else 0)
    return reason or _amount_rejection(market, trader, drafts)


def _amount_rejection(market: Market, trader: Trader, drafts: list[Draft]) -> int:
    """Whether one of them is too large, or all that they buy; of an OCO one leg can be filled."""
    buys_lots = 0
    for at, draft in enumerate(drafts):
        leg = draft.leg
        reason = amount_rejection(market, trader, leg.quantity_lots, 0)
        if reason:
            return reason
        is_second = draft.is_of_oco and at == len(drafts) - 1
        if leg.side != SELL and not is_second:
            buys_lots += leg.quantity_lots
    return amount_rejection(market, trader, 0, buys_lots)
