"""Request parameters: raw bytes to names and texts, and the checks that endpoints of orders share.

The texts of the errors are those of binance-spot-api section 3.
"""

import re
import secrets
from typing import Final
from urllib.parse import unquote_to_bytes

from exchange.contracts.errors import (
    ApiError,
    duplicate_parameter,
    illegal_characters,
    invalid_data,
    invalid_symbol,
    overflowed,
    too_much_precision,
    unread_parameters,
)
from exchange.http.query_parameters import SYMBOL_PATTERN, Parameters, integer, is_symbol, optional, required
from exchange.money import (
    NUMBER_PATTERN,
    IllegalNumberError,
    NumberOverflowError,
    PrecisionError,
    parse_fixed,
)
from services.order.view.model import AccountView, Market

__all__ = [
    "amount",
    "check_known",
    "client_order_id",
    "limit",
    "market",
    "named_order",
    "new_client_order_id",
    "optional_market",
    "parse_parameters",
]

PARAMETERS_MAX: Final = 64
CLIENT_ORDER_ID_PATTERN: Final = "^[a-zA-Z0-9-_]{1,36}$"
LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = 1_000
_CLIENT_ORDER_ID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,36}", re.ASCII)
_ILLEGAL_SOMEWHERE: Final = "Illegal characters found in a parameter."


def parse_parameters(query: bytes, body: bytes) -> dict[str, str]:
    """Read urlencoded pairs of query and body; a name in both takes the query's value (section 1).

    Raises ApiError: -1101 for a name repeated inside one place or too many names, -1100 for bytes that
    are no UTF-8 and for NUL.
    """
    parameters = _parse_pairs(query) if query else {}
    if not body:
        return parameters
    merged = _parse_pairs(body)
    merged.update(parameters)
    return merged


def _parse_pairs(raw: bytes) -> dict[str, str]:
    pairs = raw.split(b"&")
    if len(pairs) > PARAMETERS_MAX:
        raise ApiError(
            -1101, f"Too many parameters; expected '{PARAMETERS_MAX}' and received '{len(pairs)}'."
        )
    encoded = b"%" in raw or b"+" in raw
    parameters: dict[str, str] = {}
    try:
        for pair in pairs:
            name_bytes, _, value_bytes = pair.partition(b"=")
            if not name_bytes:
                if value_bytes:
                    raise ApiError(-1100, _ILLEGAL_SOMEWHERE)
                continue
            if encoded:
                name_bytes, value_bytes = _decode(name_bytes), _decode(value_bytes)
            name = name_bytes.decode()
            if name in parameters:
                raise duplicate_parameter()
            parameters[name] = value_bytes.decode()
    except UnicodeDecodeError:
        raise ApiError(-1100, _ILLEGAL_SOMEWHERE) from None
    if (b"\0" in raw or (encoded and b"%00" in raw)) and _has_nul(parameters):
        raise ApiError(-1100, _ILLEGAL_SOMEWHERE)
    return parameters


def _decode(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _has_nul(parameters: Parameters) -> bool:
    return any("\0" in name or "\0" in value for name, value in parameters.items())


def check_known(parameters: Parameters, known: frozenset[str]) -> None:
    """Raise -1104 when names came that the endpoint does not read."""
    if not parameters.keys() <= known:
        raise unread_parameters(len(parameters.keys() & known), len(parameters))


def amount(parameters: Parameters, name: str, decimals: int) -> int | None:
    """A money text in units of 10**-decimals, None when not sent. Raises -1100, -1105, -1108, -1111."""
    text = optional(parameters, name)
    if text is None:
        return None
    try:
        return parse_fixed(text, decimals)
    except IllegalNumberError:
        raise illegal_characters(name, NUMBER_PATTERN) from None
    except PrecisionError:
        raise too_much_precision(name) from None
    except NumberOverflowError:
        raise overflowed(name) from None


def limit(parameters: Parameters) -> int:
    """The length of a page: 1 to 1000, 500 when not sent. Raises -1130."""
    value = integer(parameters, "limit")
    if value is None:
        return LIMIT_DEFAULT
    if not 1 <= value <= LIMIT_MAX:
        raise invalid_data("limit")
    return value


def market(parameters: Parameters, view: AccountView) -> Market:
    """The market that `symbol` names. Raises -1100, -1102, -1121."""
    return _market_of(required(parameters, "symbol"), view)


def optional_market(parameters: Parameters, view: AccountView) -> Market | None:
    """The same, None when no symbol was sent. Raises -1100, -1105, -1121."""
    symbol = optional(parameters, "symbol")
    return None if symbol is None else _market_of(symbol, view)


def _market_of(symbol: str, view: AccountView) -> Market:
    found = view.market_by_symbol.get(symbol)
    if found is not None:
        return found
    if not is_symbol(symbol):
        raise illegal_characters("symbol", SYMBOL_PATTERN)
    raise invalid_symbol()


def client_order_id(parameters: Parameters, name: str) -> str | None:
    """A client's own name for an order or a cancellation, None when not sent. Raises -1100, -1105."""
    text = optional(parameters, name)
    if text is not None and _CLIENT_ORDER_ID.fullmatch(text) is None:
        raise illegal_characters(name, CLIENT_ORDER_ID_PATTERN)
    return text


def new_client_order_id() -> str:
    """A name for an order or a cancellation whose sender gave none: 22 characters."""
    return secrets.token_urlsafe(16)


def named_order(parameters: Parameters, id_name: str, client_id_name: str) -> tuple[int | None, str | None]:
    """An order's id and its client's own name for it: one of the two at least, else -1102."""
    order_id, name = integer(parameters, id_name), client_order_id(parameters, client_id_name)
    if order_id is None and name is None:
        raise ApiError(
            -1102, f"Param '{client_id_name}' or '{id_name}' must be sent, but both were empty/null!"
        )
    return order_id, name
