"""Query parameters of the public endpoints: raw bytes to checked values.

Codes and texts as in binance-spot-api section 3. Unknown names are refused (-1104, or -1101 where nothing
is expected at all), repeated ones too (-1101).
"""

from typing import Final
from urllib.parse import unquote_to_bytes

import orjson

from exchange.contracts import limits
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    duplicate_parameter,
    empty_parameter,
    illegal_characters,
    invalid_data,
    invalid_symbol,
    request_too_large,
    unread_parameters,
)
from exchange.http.query_parameters import SYMBOL_PATTERN, Parameters, integer, is_symbol, optional, required
from exchange.trading.intervals import INTERVALS, Interval, parse_time_zone
from exchange.trading.market import Market
from services.market_data.markets.state import MarketState, MarketView
from services.market_data.markets.texts import status_text

__all__ = [
    "choice",
    "demand_status",
    "interval",
    "limit",
    "one_view",
    "optional_views",
    "parse_query",
    "status_filter",
    "text_list",
    "zone_offset_ms",
]

QUERY_SIZE_BYTES_MAX: Final = limits.QUERY_SIZE_BYTES_MAX
_PAIRS_MAX: Final = 64
_SYMBOLS_PATTERN: Final = '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$'
# All of the public enum: each status that a market is shown with must find it.
_STATUSES: Final = frozenset({"TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY"})


def parse_query(raw: bytes, known: frozenset[str] | None) -> dict[str, str]:
    """Names and texts of a query string; `known` None takes any. Raises ApiError -1100, -1101, -1104."""
    parameters: dict[str, str] = {}
    if raw:
        pairs = raw.split(b"&")
        if len(raw) > QUERY_SIZE_BYTES_MAX:
            raise request_too_large(414, QUERY_SIZE_BYTES_MAX)
        if len(pairs) > _PAIRS_MAX:
            raise ApiError(
                -1101, f"Too many parameters; expected '{len(known or ())}' and received '{len(pairs)}'."
            )
        for pair in pairs:
            name_bytes, _, value_bytes = pair.partition(b"=")
            if not name_bytes:
                continue
            try:
                name, value = _decoded(name_bytes), _decoded(value_bytes)
            except UnicodeDecodeError:
                raise ApiError(-1100, "Illegal characters found in a parameter.") from None
            if name in parameters:
                raise duplicate_parameter()
            parameters[name] = value
    if known is not None and not parameters.keys() <= known:
        if not known:
            raise ApiError(-1101, f"Too many parameters; expected '0' and received '{len(parameters)}'.")
        raise unread_parameters(len(parameters.keys() & known), len(parameters))
    return parameters


def _decoded(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    return raw.decode()


def limit(parameters: Parameters, default: int, most: int) -> int:
    """How many items; larger than `most` means `most`. Raises -1130 for zero."""
    value = integer(parameters, "limit")
    if value is None:
        return default
    if value == 0:
        raise invalid_data("limit")
    return min(value, most)


def choice(parameters: Parameters, name: str, names: frozenset[str], code: int, message: str) -> str | None:
    """One of `names`, None when not sent; else ApiError(code, message)."""
    text = optional(parameters, name)
    if text is not None and text not in names:
        raise ApiError(code, message)
    return text


def interval(parameters: Parameters) -> Interval:
    """The mandatory `interval`, seen from `timeZone`. Raises -1102, -1120, -1130."""
    found = INTERVALS.get(required(parameters, "interval"))
    if found is None:
        raise ApiError(-1120, "Invalid interval.")
    offset_ms = zone_offset_ms(parameters)
    return found.in_zone(offset_ms) if offset_ms else found


def zone_offset_ms(parameters: Parameters) -> int:
    """What local time in `timeZone` is ahead of UTC; 0 when not sent. Raises -1130."""
    text = optional(parameters, "timeZone")
    if text is None:
        return 0
    # A plus sign that was not percent-encoded arrives as a space.
    offset_ms = parse_time_zone("+" + text[1:] if text.startswith(" ") else text)
    if offset_ms is None:
        raise invalid_data("timeZone")
    return offset_ms


def _view(state: MarketState, symbol: str) -> MarketView:
    if not is_symbol(symbol):
        raise illegal_characters("symbol", SYMBOL_PATTERN)
    view = state.by_symbol.get(symbol)
    if view is None:
        raise invalid_symbol()
    return view


def one_view(state: MarketState, parameters: Parameters) -> MarketView:
    """The market of the mandatory `symbol`. Raises -1100, -1102, -1121."""
    return _view(state, required(parameters, "symbol"))


def optional_views(
    state: MarketState, parameters: Parameters
) -> tuple[MarketView | None, list[MarketView] | None]:
    """(market, None) for `symbol`, (None, markets) for `symbols`, (None, None) for neither.

    Raises -1128 for both, -1100, -1121, and -1151 for a symbol that is listed twice.
    """
    symbol = optional(parameters, "symbol")
    if "symbols" not in parameters:
        return (_view(state, symbol) if symbol is not None else None), None
    if symbol is not None:
        raise bad_combination()
    symbols = text_list(parameters, "symbols", _SYMBOLS_PATTERN)
    if not all(map(is_symbol, symbols)):
        raise illegal_characters("symbols", _SYMBOLS_PATTERN)
    if len(set(symbols)) != len(symbols):
        raise ApiError(-1151, "Symbol is present multiple times in the list.")
    return None, [_view(state, one) for one in symbols]


def text_list(parameters: Parameters, name: str, pattern: str) -> list[str]:
    """A JSON array of texts, not empty. Raises -1100, -1105."""
    text = optional(parameters, name) or ""
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise illegal_characters(name, pattern) from None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise illegal_characters(name, pattern)
    if not values:
        raise empty_parameter(name)
    return values


def status_filter(parameters: Parameters) -> str | None:
    """`symbolStatus`. Raises -1122."""
    return choice(parameters, "symbolStatus", _STATUSES, -1122, "Invalid symbolStatus.")


def demand_status(market: Market, status: str | None) -> None:
    """The one market that was named must have the status that was asked for. Raises -1220."""
    if status is not None and status_text(market) != status:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")
