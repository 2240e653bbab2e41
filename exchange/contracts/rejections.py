"""The answers to what the engine refuses: its reasons, as the public API tells them.

Source: binance-spot-api section 3.
"""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.errors import STALE_TEXT, UNKNOWN_REASON, ApiError, unknown_list

__all__ = ["amend_rejection", "cancel_rejection", "list_rejection", "order_rejection"]

UNKNOWN_ORDER_TEXT: Final = "Unknown order sent."
SKIPPED_TEXT: Final = "The operator refused this request; it had no effect."
BALANCE_TEXT: Final = "Account has insufficient balance for requested action."

# What the engine refused -> (code, text). Placements and everything that is no cancellation.
_ORDER_REJECTIONS: Final[dict[int, tuple[int, str]]] = {
    codes.REJECT_MALFORMED: (-1013, "Invalid message."),
    codes.REJECT_UNKNOWN_COMMAND: (-1020, "This operation is not supported."),
    codes.REJECT_UNKNOWN_MARKET: (-1121, "Invalid symbol."),
    codes.REJECT_UNKNOWN_ASSET: (-1130, "Data sent for parameter 'asset' is not valid."),
    codes.REJECT_STALE: (-1021, STALE_TEXT),
    codes.REJECT_OVERFLOW: (-1108, "Parameter 'amount' overflowed."),
    codes.REJECT_ALREADY_EXISTS: (-2010, "Duplicate order sent."),
    codes.REJECT_UNKNOWN_ORDER: (-2010, UNKNOWN_ORDER_TEXT),
    codes.REJECT_DUPLICATE_CLIENT_ORDER_ID: (-2010, "Duplicate order sent."),
    codes.REJECT_MARKET_CLOSED: (-1013, "Market is closed."),
    codes.REJECT_WOULD_TAKE: (-2010, "Order would immediately match and take."),
    codes.REJECT_CANCEL_RESTRICTED: (-2011, "Order was not canceled due to cancel restrictions."),
    codes.REJECT_CLIENT_ORDER_ID_MISMATCH: (
        -2011,
        "Cancel order is invalid. Check origClOrdId and orderId.",
    ),
    codes.REJECT_ZERO_NOTIONAL: (-2010, "Price * QTY is zero or less."),
    codes.REJECT_QUOTE_BUYS_LESS_THAN_A_LOT: (
        -2010,
        "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.",
    ),
    codes.REJECT_WOULD_TRIGGER: (-2010, "Order would trigger immediately."),
    codes.REJECT_ICEBERG_EXCEEDS_QUANTITY: (-2010, "IcebergQty exceeds QTY."),
    codes.REJECT_LIST_PRICES: (-2010, "The relationship of the prices for the orders is not correct."),
    codes.REJECT_NO_CHANGE: (-2038, "The requested action would change no state; rejecting."),
    codes.REJECT_AMEND_INCREASES: (-2038, "Order amend (quantity increase) is not supported."),
    codes.REJECT_COMBINATION: (-2010, "Unsupported order combination"),
    codes.REJECT_NO_LAST_PRICE: (
        -2010,
        "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.",
    ),
    codes.REJECT_NO_PEG_PRICE: (-2010, "Order book liquidity is too low for this pegged order."),
    codes.REJECT_AMEND_UNFUNDED: (-2038, "Order amend (pending OPO order) is not supported."),
    codes.REJECT_PRICE_FILTER: (-1013, "Filter failure: PRICE_FILTER"),
    codes.REJECT_LOT_SIZE: (-1013, "Filter failure: LOT_SIZE"),
    codes.REJECT_MARKET_LOT_SIZE: (-1013, "Filter failure: MARKET_LOT_SIZE"),
    codes.REJECT_NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    codes.REJECT_PERCENT_PRICE_BY_SIDE: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    codes.REJECT_MAX_NUM_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    codes.REJECT_MAX_NUM_ALGO_ORDERS: (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
    codes.REJECT_MAX_NUM_ICEBERG_ORDERS: (-1013, "Filter failure: MAX_NUM_ICEBERG_ORDERS"),
    codes.REJECT_MAX_NUM_ORDER_LISTS: (-1013, "Filter failure: MAX_NUM_ORDER_LISTS"),
    codes.REJECT_MAX_NUM_ORDER_AMENDS: (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS"),
    codes.REJECT_ICEBERG_PARTS: (-1013, "Filter failure: ICEBERG_PARTS"),
    codes.REJECT_TRAILING_DELTA: (-1013, "Filter failure: TRAILING_DELTA"),
    codes.REJECT_MIN_NOTIONAL: (-1013, "Filter failure: MIN_NOTIONAL"),
    codes.REJECT_PERCENT_PRICE: (-1013, "Filter failure: PERCENT_PRICE"),
    codes.REJECT_MAX_POSITION: (-1013, "Filter failure: MAX_POSITION"),
    codes.REJECT_EXCHANGE_MAX_NUM_ORDERS: (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS"),
    codes.REJECT_EXCHANGE_MAX_NUM_ALGO_ORDERS: (-1013, "Filter failure: EXCHANGE_MAX_NUM_ALGO_ORDERS"),
    codes.REJECT_EXCHANGE_MAX_NUM_ICEBERG_ORDERS: (-1013, "Filter failure: EXCHANGE_MAX_NUM_ICEBERG_ORDERS"),
    codes.REJECT_EXCHANGE_MAX_NUM_ORDER_LISTS: (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDER_LISTS"),
    codes.REJECT_MAX_ASSET: (-1013, "Filter failure: MAX_ASSET"),
    codes.REJECT_INSUFFICIENT_BALANCE: (-2010, BALANCE_TEXT),
    codes.REJECT_UNKNOWN_WITHDRAWAL: (-1130, "Data sent for parameter 'withdrawalId' is not valid."),
    codes.REJECT_DUPLICATE_REFERENCE: (-1130, "Data sent for parameter 'reference' is not valid."),
    codes.REJECT_SKIPPED: (-2010, SKIPPED_TEXT),
}
# Where a cancellation is answered with another code than a placement.
_CANCEL_REJECTIONS: Final[dict[int, tuple[int, str]]] = {
    codes.REJECT_UNKNOWN_ORDER: (-2011, UNKNOWN_ORDER_TEXT),
    codes.REJECT_MARKET_CLOSED: (-2011, "Market is closed."),
    codes.REJECT_SKIPPED: (-2011, SKIPPED_TEXT),
}
_AMEND_REJECTED: Final = -2038


def order_rejection(reason: int) -> ApiError:
    """The answer to a refused placement (or deposit, withdrawal). `reason`: codes.REJECT_*."""
    code, message = _ORDER_REJECTIONS.get(reason, UNKNOWN_REASON)
    return ApiError(code, message)


def cancel_rejection(reason: int) -> ApiError:
    """The answer to a refused cancellation. `reason`: codes.REJECT_*."""
    code, message = _CANCEL_REJECTIONS.get(reason) or _ORDER_REJECTIONS.get(reason) or UNKNOWN_REASON
    return ApiError(code, message)


def list_rejection(reason: int) -> ApiError:
    """The answer to a refused cancellation of an order list. `reason`: codes.REJECT_*."""
    return unknown_list() if reason == codes.REJECT_UNKNOWN_ORDER else cancel_rejection(reason)


def amend_rejection(reason: int) -> ApiError:
    """The answer to a refused amendment. `reason`: codes.REJECT_*."""
    code, message = _ORDER_REJECTIONS.get(reason, UNKNOWN_REASON)
    return ApiError(_AMEND_REJECTED if code in (-2010, -2011) else code, message)
