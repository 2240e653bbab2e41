"""Money between text and integers. Text is checked by an anchored ASCII pattern before a number is made.

`Decimal` and text live at the edge; inside, an amount is a whole number of atoms (10**-decimals).
"""

import re
from typing import Final

__all__ = [
    "DECIMALS_MAX",
    "IllegalNumberError",
    "NumberError",
    "NumberOverflowError",
    "PrecisionError",
    "format_fixed",
    "parse_fixed",
]

# Legal range that Binance names in error -1100.
NUMBER_PATTERN: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
DECIMALS_MAX: Final = 18
VALUE_MAX: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?", re.ASCII)


class NumberError(ValueError):
    """Text that is no acceptable number. Its kinds:

    IllegalNumberError (characters), PrecisionError (too many decimals), NumberOverflowError (too big).
    """


class IllegalNumberError(NumberError):
    """Characters outside NUMBER_PATTERN: signs, exponents, spaces, NaN, other scripts' digits."""


class PrecisionError(NumberError):
    """More decimals than the unit has, and they are not zeros."""


class NumberOverflowError(NumberError):
    """More than 2**63 - 1 units."""


def parse_fixed(text: str, decimals: int) -> int:
    """Return `text` as a whole number of 10**-decimals. Raises a NumberError."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise IllegalNumberError("digits with at most one point")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        raise PrecisionError(f"at most {decimals} decimals")
    value = int(match[1] + fraction.ljust(decimals, "0"))
    if value > VALUE_MAX:
        raise NumberOverflowError("too large")
    return value


def format_fixed(value: int, decimals: int) -> str:
    """Return a whole number of 10**-decimals as text with exactly that many decimals, sign kept."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
