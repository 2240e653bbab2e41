"""The errors of the public API: codes and texts, verbatim, because clients match on them.

Source: binance-spot-api section 3. A body is always exactly `{"code": <negative int>, "msg": <text>}`
with a status outside 2xx (rule 0.5); a failed cancel-replace adds `data`.
"""

from typing import Final

from exchange.contracts import codes

__all__ = [
    "ApiError",
    "LimitError",
    "amend_rejection",
    "bad_combination",
    "banned",
    "cancel_rejection",
    "duplicate_parameter",
    "empty_parameter",
    "filter_failure",
    "illegal_characters",
    "invalid_data",
    "invalid_key",
    "invalid_symbol",
    "late_request",
    "list_rejection",
    "mandatory_parameter",
    "not_required",
    "not_supported",
    "order_rejection",
    "outcome_unknown",
    "overflowed",
    "overloaded",
    "request_too_large",
    "stale_timestamp",
    "too_many_orders",
    "too_many_requests",
    "too_much_precision",
    "too_much_weight",
    "unavailable",
    "unknown_error",
    "unknown_list",
    "unknown_order",
    "unread_parameters",
]

UNKNOWN_ORDER_TEXT: Final = "Unknown order sent."
STALE_TEXT: Final = "Timestamp for this request is outside of the recvWindow."
SKIPPED_TEXT: Final = "The operator refused this request; it had no effect."
BALANCE_TEXT: Final = "Account has insufficient balance for requested action."


class ApiError(Exception):
    """An answer that is an error. `status`: the HTTP status; `data`: what cancel-replace adds."""

    def __init__(self, code: int, message: str, status: int = 400, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def payload(self) -> dict[str, object]:
        """The body, ready for a JSON encoder."""
        body: dict[str, object] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


class LimitError(ApiError):
    """An answer to somebody who asks for too much: now, and when to come back, in ms since 1970."""

    def __init__(
        self, code: int, message: str, status: int, wait: tuple[int, int], data: object = None
    ) -> None:
        super().__init__(code, message, status, data)
        self.now_ms, self.retry_at_ms = wait

    @property
    def retry_after_s(self) -> int:
        """Whole seconds, at least 1, as in the Retry-After header."""
        return max(1, -(-(self.retry_at_ms - self.now_ms) // 1_000))


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
_UNKNOWN_REASON: Final = (-1000, "An unknown error occurred while processing the request.")


def unknown_error() -> ApiError:
    """-1000: a fault of ours; the log says which."""
    code, message = _UNKNOWN_REASON
    return ApiError(code, message, 500)


def order_rejection(reason: int) -> ApiError:
    """The answer to a refused placement (or deposit, withdrawal). `reason`: codes.REJECT_*."""
    code, message = _ORDER_REJECTIONS.get(reason, _UNKNOWN_REASON)
    return ApiError(code, message)


def cancel_rejection(reason: int) -> ApiError:
    """The answer to a refused cancellation. `reason`: codes.REJECT_*."""
    code, message = _CANCEL_REJECTIONS.get(reason) or _ORDER_REJECTIONS.get(reason) or _UNKNOWN_REASON
    return ApiError(code, message)


def list_rejection(reason: int) -> ApiError:
    """The answer to a refused cancellation of an order list. `reason`: codes.REJECT_*."""
    return unknown_list() if reason == codes.REJECT_UNKNOWN_ORDER else cancel_rejection(reason)


def unknown_list() -> ApiError:
    """-2011: a cancellation named an order list that its sender does not have."""
    return ApiError(-2011, "Unknown order list sent.")


def amend_rejection(reason: int) -> ApiError:
    """The answer to a refused amendment. `reason`: codes.REJECT_*."""
    code, message = _ORDER_REJECTIONS.get(reason, _UNKNOWN_REASON)
    return ApiError(_AMEND_REJECTED if code in (-2010, -2011) else code, message)


def unknown_order() -> ApiError:
    """-2013: a query named an order that its caller does not have."""
    return ApiError(-2013, "Order does not exist.")


def filter_failure(name: str) -> ApiError:
    """-1013: `name` is a documented filterType."""
    return ApiError(-1013, f"Filter failure: {name}")


def mandatory_parameter(name: str) -> ApiError:
    """-1102: missing or empty."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal_characters(name: str, legal_range: str) -> ApiError:
    """-1100: `legal_range` is the pattern that the text breaks."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal_range}'.")


def duplicate_parameter() -> ApiError:
    """-1101: a name came twice in one place."""
    return ApiError(-1101, "Duplicate values for a parameter detected.")


def unread_parameters(read: int, sent: int) -> ApiError:
    """-1104: names that the endpoint does not know."""
    return ApiError(
        -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    )


def empty_parameter(name: str) -> ApiError:
    """-1105: an optional parameter came without a value."""
    return ApiError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> ApiError:
    """-1106: a parameter that this kind of order does not have."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def overflowed(name: str) -> ApiError:
    """-1108: a number that no field can hold."""
    return ApiError(-1108, f"Parameter '{name}' overflowed.")


def too_much_precision(name: str) -> ApiError:
    """-1111: more decimals than the asset has."""
    return ApiError(-1111, f"Parameter '{name}' has too much precision.")


def invalid_symbol() -> ApiError:
    """-1121: no such market."""
    return ApiError(-1121, "Invalid symbol.")


def bad_combination() -> ApiError:
    """-1128: optional parameters that exclude each other."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def invalid_data(name: str) -> ApiError:
    """-1130: a value outside of what the parameter can be."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def not_supported(status: int = 400) -> ApiError:
    """-1020: an operation that this exchange does not have."""
    return ApiError(-1020, "This operation is not supported.", status)


def request_too_large(status: int, most: int, unit: str = "bytes") -> ApiError:
    """-1101: more than is read. `status`: 413 for a body, 414 for an address, 431 for a head."""
    return ApiError(
        -1101, f"Too many parameters sent for this endpoint; at most {most} {unit} are read.", status
    )


def late_request() -> ApiError:
    """-1000 with 408: the request did not arrive whole within its deadline, and had no effect."""
    return ApiError(-1000, "The request did not arrive in time.", 408)


def too_many_requests(what: str, limit: int, interval: str, wait: tuple[int, int]) -> LimitError:
    """-1003: the address has sent as many requests, or opened as many connections, as it may."""
    return LimitError(
        -1003,
        f"Too many {what}; current limit is {limit} {what} per {interval}. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        429,
        wait,
    )


def too_much_weight(limit: int, interval: str, wait: tuple[int, int]) -> LimitError:
    """-1003: the address has used up its request weight."""
    return LimitError(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per {interval}. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        429,
        wait,
    )


def banned(wait: tuple[int, int]) -> LimitError:
    """-1003 with 418: the address went on after it was told to wait."""
    return LimitError(
        -1003,
        f"Way too much request weight used; IP banned until {wait[1]}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        418,
        wait,
    )


def too_many_orders(limit: int, interval: str, wait: tuple[int, int]) -> LimitError:
    """-1015: the account has placed as many orders as it may."""
    return LimitError(
        -1015, f"Too many new orders; current limit is {limit} orders per {interval}.", 429, wait
    )


def stale_timestamp() -> ApiError:
    """-1021: the request is older than its recvWindow."""
    return ApiError(-1021, STALE_TEXT)


def invalid_key() -> ApiError:
    """-2015, always the same text: it must not tell which of the three it was."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def overloaded() -> ApiError:
    """-1008: nothing was sent."""
    return ApiError(
        -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503
    )


def unavailable() -> ApiError:
    """-1001: a part that is needed is away; nothing was sent."""
    return ApiError(-1001, "Internal error; unable to process your request. Please try again.", 503)


def outcome_unknown() -> ApiError:
    """-1007: the command may or may not take effect."""
    return ApiError(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        504,
    )
