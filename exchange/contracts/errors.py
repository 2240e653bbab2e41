"""The errors of the public API: codes and texts, verbatim, because clients match on them.

Source: binance-spot-api section 3. A body is always exactly `{"code": <negative int>, "msg": <text>}`
with a status outside 2xx (rule 0.5); a failed cancel-replace adds `data`. What the engine refuses:
`rejections.py`. This module needs nothing of the compiled contracts: servers import it before an
engine's build is chosen.
"""

from typing import Final

__all__ = [
    "ApiError",
    "LimitError",
    "bad_combination",
    "banned",
    "duplicate_parameter",
    "empty_parameter",
    "filter_failure",
    "illegal_characters",
    "invalid_data",
    "invalid_key",
    "invalid_symbol",
    "late_request",
    "mandatory_parameter",
    "not_required",
    "not_supported",
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

STALE_TEXT: Final = "Timestamp for this request is outside of the recvWindow."


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


UNKNOWN_REASON: Final = (-1000, "An unknown error occurred while processing the request.")


def unknown_error() -> ApiError:
    """-1000: a fault of ours; the log says which."""
    code, message = UNKNOWN_REASON
    return ApiError(code, message, 500)


def unknown_list() -> ApiError:
    """-2011: a cancellation named an order list that its sender does not have."""
    return ApiError(-2011, "Unknown order list sent.")


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
