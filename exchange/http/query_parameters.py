"""Checks of request parameters that the public endpoints of all services share: texts to checked values.

Numbers are checked as text by anchored ASCII patterns before a number is made of them. Codes and texts as in
binance-spot-api section 3.
"""

import re
from collections.abc import Mapping
from typing import Final

from exchange.contracts.errors import (
    empty_parameter,
    illegal_characters,
    invalid_data,
    mandatory_parameter,
    overflowed,
)

__all__ = [
    "MICROSECONDS_FROM",
    "SYMBOL_PATTERN",
    "Parameters",
    "boolean",
    "integer",
    "is_symbol",
    "optional",
    "required",
    "time_ms",
    "whole_number",
]

Parameters = Mapping[str, str]
# Timestamps may come in microseconds (section 1); none in milliseconds is that large before the year 5138.
MICROSECONDS_FROM: Final = 10**14
SYMBOL_PATTERN: Final = "^[A-Z0-9-_.]{1,20}$"
_INTEGER_MAX: Final = 2**63 - 1
_INTEGER_PATTERN: Final = "^[0-9]{1,20}$"
_INTEGER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_SYMBOL: Final = re.compile(r"[A-Z0-9\-_.]{1,20}", re.ASCII)


def required(parameters: Parameters, name: str) -> str:
    """The text of a mandatory parameter, else -1102."""
    text = parameters.get(name)
    if not text:
        raise mandatory_parameter(name)
    return text


def optional(parameters: Parameters, name: str) -> str | None:
    """The text of an optional parameter, None when it was not sent; sent empty, -1105."""
    text = parameters.get(name)
    if text == "":
        raise empty_parameter(name)
    return text


def whole_number(name: str, text: str) -> int:
    """A whole number from 0 to 2**63 - 1. Raises -1100, -1108."""
    if _INTEGER.fullmatch(text) is None:
        raise illegal_characters(name, _INTEGER_PATTERN)
    value = int(text)
    if value > _INTEGER_MAX:
        raise overflowed(name)
    return value


def integer(parameters: Parameters, name: str) -> int | None:
    """As `whole_number`, None when not sent. Raises -1100, -1105, -1108."""
    text = optional(parameters, name)
    return None if text is None else whole_number(name, text)


def time_ms(parameters: Parameters, name: str) -> int | None:
    """A time in milliseconds, None when not sent; sent in milliseconds or in microseconds."""
    value = integer(parameters, name)
    return value // 1_000 if value is not None and value >= MICROSECONDS_FROM else value


def boolean(parameters: Parameters, name: str, *, default: bool = False) -> bool:
    """`true` or `false` in any case. Raises -1105, -1130."""
    text = optional(parameters, name)
    if text is None:
        return default
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise invalid_data(name)
    return lowered == "true"


def is_symbol(text: str) -> bool:
    """Whether a market could be named so."""
    return _SYMBOL.fullmatch(text) is not None
