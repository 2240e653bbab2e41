"""Single parameters of a call, from text to a checked value; the whole request's are read at the doors.

The texts of the errors are those of binance-spot-api section 3.
"""

import re
import secrets
from typing import Final

from exchange.contracts import limits
from exchange.contracts.errors import (
    ApiError,
    filter_failure,
    illegal_characters,
    invalid_data,
    invalid_symbol,
    overflowed,
    too_much_precision,
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
    "client_order_id",
    "limit",
    "lots_of",
    "market",
    "named_list",
    "named_order",
    "new_client_order_id",
    "optional_market",
    "price_ticks_of",
]

CLIENT_ORDER_ID_PATTERN: Final = "^[a-zA-Z0-9-_]{1,36}$"
LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = limits.PAGE_ROWS_MAX
_CLIENT_ORDER_ID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,36}", re.ASCII)


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


def price_ticks_of(parameters: Parameters, found: Market, name: str) -> int:
    """A price in ticks. Raises -1013 for none and for what is between two steps, and as `amount`."""
    atoms = amount(parameters, name, found.quote.decimals)
    if atoms == 0:
        raise ApiError(-1013, "Invalid price.")
    if not atoms or atoms % found.rules.tick_atoms:
        raise filter_failure("PRICE_FILTER")
    return atoms // found.rules.tick_atoms


def lots_of(parameters: Parameters, found: Market, name: str) -> int:
    """A quantity in lots. Raises -1013 for none and for what is between two steps, and as `amount`."""
    atoms = amount(parameters, name, found.base.decimals)
    if atoms == 0:
        raise ApiError(-1013, "Invalid quantity.")
    if not atoms or atoms % found.rules.lot_atoms:
        raise filter_failure("LOT_SIZE")
    return atoms // found.rules.lot_atoms


def limit(parameters: Parameters) -> int:
    """The length of a page, 500 when not sent; more than 1000 means 1000. Raises -1130 for zero."""
    value = integer(parameters, "limit")
    if value is None:
        return LIMIT_DEFAULT
    if value == 0:
        raise invalid_data("limit")
    return min(value, LIMIT_MAX)


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


def named_list(parameters: Parameters, client_id_name: str) -> tuple[int | None, str | None]:
    """An order list's id and its client's own name for it: one of the two at least, else -1102."""
    return named_order(parameters, "orderListId", client_id_name)
