"""An order as answers tell it: placed, asked for, cancelled, amended (binance-spot-api 2.4 and 2.5)."""

from typing import Final

from exchange.contracts import codes
from services.order.shapes.prevention import add_prevention
from services.order.view.records import NOT_YET_MS, Market, OrderRecord, OrderTerms

__all__ = [
    "EXPIRED",
    "NO_LIST",
    "ORDER_TYPES",
    "STP_MODES",
    "ZERO",
    "add_terms",
    "amended_order",
    "canceled_order",
    "order_status",
]

Shape = dict[str, object]
ZERO: Final = "0.00000000"
# What `orderListId` says of an order that is part of no list.
NO_LIST: Final = -1
EXPIRED: Final = (codes.EXPIRED, codes.EXPIRED_IN_MATCH)
ORDER_TYPES: Final = codes.ORDER_TYPE_NAMES | codes.TRIGGERED_TYPE_NAMES
STP_MODES: Final = codes.STP_NAMES | codes.STP_DECREMENTING_NAMES


def order_status(found: Market, order: OrderRecord, unit: int) -> Shape:
    """An order as all questions show it."""
    shape: Shape = {
        "symbol": found.rules.symbol,
        "orderId": order.order_id,
        "orderListId": order.order_list_id or NO_LIST,
        "clientOrderId": order.client_order_id,
        "price": found.price_text(order.price_ticks),
        "origQty": found.quantity_text(order.quantity_lots),
        "executedQty": found.quantity_text(order.executed_lots),
        "cummulativeQuoteQty": found.quote.text(order.executed_quote_atoms),
        "status": order.status_name,
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": ORDER_TYPES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.created_ms * unit,
        "updateTime": order.updated_ms * unit,
        "isWorking": order.is_working,
        "workingTime": _time(order.working_ms, unit),
        "origQuoteOrderQty": found.quote.text(order.quote_quantity_atoms),
        "selfTradePreventionMode": STP_MODES[order.stp_mode],
    }
    if order.terms is not None:
        add_terms(shape, found, order.terms, order.price_ticks, unit)
    add_prevention(shape, found, order)
    if order.status in EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[order.close_reason]
    return shape


def canceled_order(
    found: Market, order: OrderRecord, cancel_client_order_id: str, time_ms: int, unit: int
) -> Shape:
    """`clientOrderId` is the cancellation's own name."""
    shape: Shape = {
        "symbol": found.rules.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.order_list_id or NO_LIST,
        "clientOrderId": cancel_client_order_id,
        "transactTime": time_ms * unit,
        "price": found.price_text(order.price_ticks),
        "origQty": found.quantity_text(order.quantity_lots),
        "executedQty": found.quantity_text(order.executed_lots),
        "origQuoteOrderQty": found.quote.text(order.quote_quantity_atoms),
        "cummulativeQuoteQty": found.quote.text(order.executed_quote_atoms),
        "status": codes.ORDER_STATUS_NAMES[order.status],
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": ORDER_TYPES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
        "selfTradePreventionMode": STP_MODES[order.stp_mode],
    }
    if order.terms is not None:
        add_terms(shape, found, order.terms, order.price_ticks, unit)
    return shape


def amended_order(found: Market, order: OrderRecord, old_client_order_id: str, unit: int) -> Shape:
    """An order after it was made smaller; quantities and sums have other names here than elsewhere."""
    shape: Shape = {
        "symbol": found.rules.symbol,
        "orderId": order.order_id,
        "orderListId": order.order_list_id or NO_LIST,
        "origClientOrderId": old_client_order_id,
        "clientOrderId": order.client_order_id,
        "price": found.price_text(order.price_ticks),
        "qty": found.quantity_text(order.quantity_lots),
        "executedQty": found.quantity_text(order.executed_lots),
        "preventedQty": found.quantity_text(order.prevented_lots),
        "quoteOrderQty": found.quote.text(order.quote_quantity_atoms),
        "cumulativeQuoteQty": found.quote.text(order.executed_quote_atoms),
        "status": order.status_name,
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": ORDER_TYPES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
    }
    if order.working_ms != NOT_YET_MS:
        shape["workingTime"] = order.working_ms * unit
    shape["selfTradePreventionMode"] = STP_MODES[order.stp_mode]
    if order.terms is not None:
        add_terms(shape, found, order.terms, order.price_ticks, unit)
    return shape


def add_terms(shape: Shape, found: Market, terms: OrderTerms, price_ticks: int, unit: int) -> None:
    """What an order has beside a plain one, where it has it."""
    if terms.stop_price_ticks:
        shape["stopPrice"] = found.price_text(terms.stop_price_ticks)
    if terms.iceberg_lots:
        shape["icebergQty"] = found.quantity_text(terms.iceberg_lots)
    if terms.trailing_bips:
        shape["trailingDelta"] = terms.trailing_bips
        shape["trailingTime"] = _time(terms.trailing_ms, unit)
    if terms.strategy_id:
        shape["strategyId"] = terms.strategy_id
    if terms.strategy_type:
        shape["strategyType"] = terms.strategy_type
    if terms.peg_price_type:
        shape["pegPriceType"] = codes.PEG_PRICE_TYPE_NAMES[terms.peg_price_type]
        if terms.peg_offset_levels:
            shape["pegOffsetType"] = "PRICE_LEVEL"
            shape["pegOffsetValue"] = terms.peg_offset_levels
        if price_ticks:
            shape["peggedPrice"] = found.price_text(price_ticks)


def _time(time_ms: int, unit: int) -> int:
    """NOT_YET_MS is no time, in any unit."""
    return time_ms if time_ms == NOT_YET_MS else time_ms * unit
