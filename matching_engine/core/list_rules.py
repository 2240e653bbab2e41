"""What the orders of a list must be like, beside what each of them must be (binance-spot-api 2.6)."""

from exchange.contracts import codes
from exchange.contracts.codes import SELL
from exchange.contracts.order_commands import OrderLeg, PlaceOrderList
from matching_engine.core.funding import pays_pending
from matching_engine.core.rules_version import has_opo

__all__ = ["list_prices_fit", "shape_rejection"]


def shape_rejection(rules_version: int, command: PlaceOrderList) -> int:
    """Whether the legs are those of the contingency."""
    legs = command.legs
    expected = 3 if command.contingency in (codes.CONTINGENCY_OTOCO, codes.CONTINGENCY_OPOCO) else 2
    newest = codes.CONTINGENCY_OPOCO if has_opo(rules_version) else codes.CONTINGENCY_OTOCO
    if not codes.CONTINGENCY_OCO <= command.contingency <= newest:
        return codes.REJECT_MALFORMED
    if len(legs) != expected or not command.list_client_order_id:
        return codes.REJECT_MALFORMED
    if command.contingency != codes.CONTINGENCY_OCO:
        if legs[0].order_type not in (codes.LIMIT, codes.LIMIT_MAKER):
            return codes.REJECT_COMBINATION
        if pays_pending(command.contingency) and not _sells_what_is_bought(legs):
            return codes.REJECT_MALFORMED
        if command.contingency in (codes.CONTINGENCY_OTO, codes.CONTINGENCY_OPO):
            return 0
    above, below = legs[-2], legs[-1]
    if above.side != below.side or above.quantity_lots != below.quantity_lots:
        return codes.REJECT_MALFORMED
    stops = (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT)
    takes = (codes.LIMIT_MAKER, codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT)
    sells = above.side == SELL
    if above.order_type in (takes if sells else stops) and below.order_type in (stops if sells else takes):
        return 0
    return codes.REJECT_COMBINATION


def _sells_what_is_bought(legs: list[OrderLeg]) -> bool:
    """Whether the working order buys, and all others sell a quantity that they leave open."""
    for leg in legs[1:]:
        if leg.side != SELL or leg.quantity_lots:
            return False
    return legs[0].side == codes.BUY


def list_prices_fit(command: PlaceOrderList, last_ticks: int) -> bool:
    """Whether the two orders of which one cancels the other, if there are two, lie around the last price.

    Those of an OCO; pending ones around whatever it will be.
    """
    if command.contingency in (codes.CONTINGENCY_OTO, codes.CONTINGENCY_OPO):
        return True
    is_oco = command.contingency == codes.CONTINGENCY_OCO
    return _prices_fit(command.legs[-2], command.legs[-1], last_ticks if is_oco else 0)


def _prices_fit(above: OrderLeg, below: OrderLeg, last_ticks: int) -> bool:
    """Whether the last price lies between those of the legs.

    As far as they have any (binance-spot-api 2.6).
    """
    high = above.stop_price_ticks or above.price_ticks if not above.trailing_bips else above.stop_price_ticks
    low = below.stop_price_ticks or below.price_ticks if not below.trailing_bips else below.stop_price_ticks
    if high and low and high <= low:
        return False
    if last_ticks == 0:
        return True
    return not (high and high <= last_ticks) and not (low and low >= last_ticks)
