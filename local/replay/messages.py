"""Lines of LOBSTER's message files as what happened to a book, order by order. Pure.

Columns: seconds after midnight, kind, order id, size, price in hundredths of a cent, direction of the order
that rests (1 buys, -1 sells). A book that such a file begins with stands in no line of it.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from local.replay.prints import FileError

__all__ = ["Kind", "Message", "is_message_file", "market_of_messages", "messages_of"]

_NAME: Final = re.compile(r"(?P<stock>[A-Z]{1,6})_(?P<day>\d{4}-\d\d-\d\d)_\d+_\d+_message_\d+", re.ASCII)
_SECONDS: Final = re.compile(r"(\d{1,5})(?:\.(\d{1,12}))?", re.ASCII)
_COLUMNS: Final = 6
_DAY_S: Final = 86_400
# What the files are priced in; the market is the stock's name with it.
_QUOTE: Final = "USD"
_PRICE_DIGITS: Final = 4


class Kind:
    """What a line says; the numbers are the files' own."""

    PLACED: Final = 1
    REDUCED: Final = 2
    CANCELLED: Final = 3
    EXECUTED: Final = 4
    # Of an order that nobody could see.
    HIDDEN: Final = 5
    # An auction, and a halt or its end: nothing of a book that trades without pause.
    AUCTION: Final = 6
    HALT: Final = 7


class Message(NamedTuple):
    """One line. `order_id` 0: of an order that nobody saw. Price and quantity are its text."""

    time_ms: int
    symbol: str
    kind: int
    order_id: int
    quantity: str
    price: str
    is_buy: bool


def is_message_file(name: str) -> bool:
    """Whether a file is one of messages, by its name: AAPL_2012-06-21_34200000_57600000_message_10."""
    return _NAME.fullmatch(name) is not None


def market_of_messages(name: str) -> str:
    """The market of such a file: AAPLUSD. Raises FileError for another name."""
    return f"{_match(name)['stock']}{_QUOTE}"


def _match(name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise FileError(f"{name}: not named as LOBSTER's files of messages are")
    return match


def messages_of(name: str, lines: Iterable[str]) -> Iterator[Message]:
    """What happened, in the file's order; auctions and halts are left out. Raises FileError."""
    match, newest_ms = _match(name), 0
    symbol = f"{match['stock']}{_QUOTE}"
    try:
        midnight_ms = int(datetime.strptime(match["day"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1_000)
    except ValueError:
        raise FileError(f"{name}: {match['day']} is no day") from None
    for number, line in enumerate(lines, start=1):
        columns = line.strip().split(",")
        if columns == [""]:
            continue
        try:
            message = _message(symbol, midnight_ms, columns)
            if message.time_ms < newest_ms:
                raise FileError("its time is before that of the line before it")
        except FileError as error:
            raise FileError(f"{name}, line {number}: {error}") from None
        newest_ms = message.time_ms
        if message.kind not in (Kind.AUCTION, Kind.HALT):
            yield message


def _message(symbol: str, midnight_ms: int, columns: list[str]) -> Message:
    if len(columns) != _COLUMNS:
        raise FileError(f"{len(columns)} columns, not {_COLUMNS}")
    time, kind, order_id, size, price, direction = columns
    seconds = _SECONDS.fullmatch(time)
    if seconds is None or int(seconds[1]) >= _DAY_S:
        raise FileError(f"{time!r} is no time in seconds after midnight")
    if kind not in ("1", "2", "3", "4", "5", "6", "7"):
        raise FileError(f"{kind!r} is no kind of message")
    time_ms = midnight_ms + int(seconds[1]) * 1_000 + int((seconds[2] or "0").ljust(3, "0")[:3])
    if kind == "7":
        # Its price says which of the two it is, and may be below 0.
        return Message(time_ms, symbol, Kind.HALT, 0, "0", "0", False)
    if direction not in ("1", "-1"):
        raise FileError(f"{direction!r} is no direction")
    if not all(text.isascii() and text.isdigit() and len(text) <= 15 for text in (order_id, size, price)):
        raise FileError(f"{','.join((order_id, size, price))} are no whole numbers")
    digits = price.rjust(_PRICE_DIGITS + 1, "0")
    text = f"{digits[:-_PRICE_DIGITS]}.{digits[-_PRICE_DIGITS:]}"
    return Message(time_ms, symbol, int(kind), int(order_id), size, text, direction == "1")
