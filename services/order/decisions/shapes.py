"""The JSON objects of the API about orders, trades and accounts (binance-spot-api 2.4, 2.5, 2.7).

Money is text with the asset's decimals, ids and times are integers. `unit`: 1 for times in milliseconds,
1000 for microseconds (X-MBX-TIME-UNIT).
"""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.money import format_fixed
from services.order.view.model import Market, OrderRecord

__all__ = [
    "ACK",
    "FULL",
    "RESULT",
    "canceled_order",
    "commission",
    "order_status",
    "placed_order",
    "rate_text",
]

ACK: Final = "ACK"
RESULT: Final = "RESULT"
FULL: Final = "FULL"
Shape = dict[str, object]
ZERO: Final = "0.00000000"
PPM_TO_ATOMS: Final = 100  # a rate in millionths as text with eight decimals
_EXPIRED: Final = (codes.EXPIRED, codes.EXPIRED_IN_MATCH)


def rate_text(ppm: int) -> str:
    """A fee rate as text with eight decimals."""
    return format_fixed(ppm * PPM_TO_ATOMS, 8)


def placed_order(
    market: Market, outcome: CommandOutcome, accepted: OrderAccepted, form: str, unit: int
) -> Shape:
    """The answer to a placement. Everything in it follows from the outcome itself."""
    time = outcome.time_ms * unit
    shape: Shape = {
        "symbol": market.rules.symbol,
        "orderId": accepted.order_id,
        "orderListId": -1,
        "clientOrderId": accepted.client_order_id,
        "transactTime": time,
    }
    if form == ACK:
        return shape
    executed_lots = executed_quote_atoms = close_reason = 0
    status = codes.NEW
    trades: list[TradeExecuted] = []
    order_id = accepted.order_id
    for recorded in outcome.events:
        event = recorded.event
        if isinstance(event, TradeExecuted):
            executed_lots += event.quantity_lots
            executed_quote_atoms += event.quote_atoms
            trades.append(event)
        elif isinstance(event, OrderClosed) and event.order_id == order_id:
            status, close_reason = event.status, event.reason
    if status == codes.NEW and executed_lots:
        is_filled = executed_lots == accepted.quantity_lots
        status = codes.FILLED if is_filled else codes.PARTIALLY_FILLED
    shape["price"] = market.price_text(accepted.price_ticks)
    shape["origQty"] = market.quantity_text(accepted.quantity_lots)
    shape["executedQty"] = market.quantity_text(executed_lots)
    shape["origQuoteOrderQty"] = market.quote.text(accepted.quote_quantity_atoms)
    shape["cummulativeQuoteQty"] = market.quote.text(executed_quote_atoms)
    shape["status"] = codes.ORDER_STATUS_NAMES[status]
    shape["timeInForce"] = codes.TIME_IN_FORCE_NAMES[accepted.time_in_force]
    shape["type"] = codes.ORDER_TYPE_NAMES[accepted.order_type]
    shape["side"] = codes.SIDE_NAMES[accepted.side]
    shape["workingTime"] = time
    if form == FULL:
        shape["fills"] = [_fill(market, trade, accepted.side) for trade in trades]
    shape["selfTradePreventionMode"] = codes.STP_NAMES[accepted.stp_mode]
    if status in _EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[close_reason]
    return shape


def commission(market: Market, side: int, buyer_fee_atoms: int, seller_fee_atoms: int) -> tuple[str, str]:
    """What one side of a trade paid: amount and asset. The fee is taken from what was received."""
    if side == codes.BUY:
        return market.base.text(buyer_fee_atoms), market.base.code
    return market.quote.text(seller_fee_atoms), market.quote.code


def _fill(market: Market, trade: TradeExecuted, side: int) -> Shape:
    fee, fee_asset = commission(market, side, trade.buyer_fee_atoms, trade.seller_fee_atoms)
    return {
        "price": market.price_text(trade.price_ticks),
        "qty": market.quantity_text(trade.quantity_lots),
        "commission": fee,
        "commissionAsset": fee_asset,
        "tradeId": trade.trade_id,
    }


def order_status(market: Market, order: OrderRecord, unit: int) -> Shape:
    """An order as the queries show it."""
    shape: Shape = {
        "symbol": market.rules.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": market.price_text(order.price_ticks),
        "origQty": market.quantity_text(order.quantity_lots),
        "executedQty": market.quantity_text(order.executed_lots),
        "cummulativeQuoteQty": market.quote.text(order.executed_quote_atoms),
        "status": codes.ORDER_STATUS_NAMES[order.status],
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": codes.ORDER_TYPE_NAMES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.created_ms * unit,
        "updateTime": order.updated_ms * unit,
        "isWorking": True,
        "workingTime": order.working_ms * unit,
        "origQuoteOrderQty": market.quote.text(order.quote_quantity_atoms),
        "selfTradePreventionMode": codes.STP_NAMES[order.stp_mode],
    }
    if order.status in _EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[order.close_reason]
    return shape


def canceled_order(
    market: Market, order: OrderRecord, cancel_client_order_id: str, time_ms: int, unit: int
) -> Shape:
    """The answer to a cancellation: `clientOrderId` is the cancellation's own name."""
    return {
        "symbol": market.rules.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_client_order_id,
        "transactTime": time_ms * unit,
        "price": market.price_text(order.price_ticks),
        "origQty": market.quantity_text(order.quantity_lots),
        "executedQty": market.quantity_text(order.executed_lots),
        "origQuoteOrderQty": market.quote.text(order.quote_quantity_atoms),
        "cummulativeQuoteQty": market.quote.text(order.executed_quote_atoms),
        "status": codes.ORDER_STATUS_NAMES[codes.CANCELED],
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": codes.ORDER_TYPE_NAMES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
        "selfTradePreventionMode": codes.STP_NAMES[order.stp_mode],
    }
