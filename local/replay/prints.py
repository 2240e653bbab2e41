"""Lines of Binance's public data files as prints of a market: trades, aggregate trades, candles. Pure.

The columns are those of data.binance.vision's spot files, with a line of names or without; times are
milliseconds, or microseconds in files since 2025.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

__all__ = ["KINDS", "FileError", "Print", "kind_of", "prints_of", "symbol_of"]

# From here on it is no millisecond of anybody's life: microseconds.
_MICROSECONDS_FROM: Final = 10**14
_NAME: Final = re.compile(
    r"(?P<symbol>[A-Z0-9]{3,30})-(?P<kind>trades|aggTrades|(?P<length>[0-9]{1,2})(?P<unit>[smhd]))(-.*)?",
    re.ASCII,
)
_UNIT_MS: Final[Mapping[str, int]] = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CANDLE_COLUMNS: Final = 12
# What is read of the others, of seven and of eight columns.
_COLUMNS_MIN: Final[Mapping[str, int]] = {"trades": 6, "aggTrades": 7, "candles": _CANDLE_COLUMNS}
_NOT_SO_MANY: Final[Mapping[str, str]] = {
    "trades": "{} columns; a file of trades has 7",
    "aggTrades": "{} columns; a file of aggTrades has 8",
    "candles": "{} columns, not 12",
}
KINDS: Final = ("trades", "aggTrades", "candles")


class FileError(Exception):
    """A file is none of those that can be replayed; says which line, and why."""


class Print(NamedTuple):
    """One trade as somebody has recorded it. Price and quantity are its text."""

    time_ms: int
    symbol: str
    price: str
    quantity: str
    is_buyer_maker: bool


class _Kind(NamedTuple):
    name: str
    candle_ms: int


def _match(name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise FileError(
            f"{name}: not named as Binance's files are (BTCUSDT-trades-2024-05-01, -aggTrades-..., -1m-...)"
        )
    return match


def symbol_of(name: str) -> str:
    """The market of a file, by its name without suffix. Raises FileError."""
    return _match(name)["symbol"]


def kind_of(name: str) -> str:
    """One of KINDS. Raises FileError."""
    return _kind(name).name


def _kind(name: str) -> _Kind:
    match = _match(name)
    if match["unit"] is None:
        return _Kind(match["kind"], 0)
    return _Kind("candles", int(match["length"]) * _UNIT_MS[match["unit"]])


def prints_of(name: str, lines: Iterable[str], seed: int) -> Iterator[Print]:
    """The prints of a file, in its order. `seed` decides the way of the price through a candle.

    Raises FileError, also for times that go back.
    """
    kind, symbol = _kind(name), symbol_of(name)
    read = _READERS[kind.name]
    rng = random.Random(f"{seed} {name}")
    newest_ms = 0
    for number, line in enumerate(lines, start=1):
        columns = line.strip().split(",")
        if columns == [""]:
            continue
        try:
            if len(columns) < _COLUMNS_MIN[kind.name]:
                raise FileError(_NOT_SO_MANY[kind.name].format(len(columns)))
            if number == 1 and not columns[0].isdigit():
                continue  # The names of the columns.
            for one in read(symbol, columns, kind.candle_ms, rng):
                if one.time_ms < newest_ms:
                    raise FileError("its time is before that of the line before it")
                newest_ms = one.time_ms
                yield one
        except (FileError, ValueError) as error:
            raise FileError(f"{name}, line {number}: {error}") from None


def _time_ms(text: str) -> int:
    if not text.isdigit():
        raise FileError(f"{text!r} is no time in milliseconds")
    time = int(text)
    return time // 1_000 if time >= _MICROSECONDS_FROM else time


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise FileError(f"{text!r} is neither True nor False")
    return text.lower() == "true"


def _trade(symbol: str, columns: list[str], _: int, __: random.Random) -> Iterator[Print]:
    """id, price, quantity, quote quantity, time, buyer is maker, best match."""
    yield Print(_time_ms(columns[4]), symbol, columns[1], columns[2], _flag(columns[5]))


def _aggregate(symbol: str, columns: list[str], _: int, __: random.Random) -> Iterator[Print]:
    """id, price, quantity, first id, last id, time, buyer is maker, best match."""
    yield Print(_time_ms(columns[5]), symbol, columns[1], columns[2], _flag(columns[6]))


def _candle(symbol: str, columns: list[str], candle_ms: int, rng: random.Random) -> Iterator[Print]:
    """Open time, open, high, low, close, volume, ...: four prints, a quarter of the volume each."""
    if len(columns) > _CANDLE_COLUMNS:
        raise FileError(_NOT_SO_MANY["candles"].format(len(columns)))
    open_, high, low, close, volume = columns[1:6]
    whole, _, part = volume.partition(".")
    atoms = int(whole + part)
    if not atoms:
        return
    middle = (high, low) if rng.randrange(2) else (low, high)
    sizes = [atoms // 4, atoms // 4, atoms // 4, atoms - 3 * (atoms // 4)]
    for step, (price, size) in enumerate(zip((open_, *middle, close), sizes, strict=True)):
        digits = str(size).rjust(len(part) + 1, "0")
        text = f"{digits[: len(digits) - len(part)]}.{digits[len(digits) - len(part) :]}" if part else digits
        # The last is a millisecond before the candle ends.
        at_ms = _time_ms(columns[0]) + step * (candle_ms - 1) // 3
        yield Print(at_ms, symbol, price, text, bool(rng.randrange(2)))


_READERS: Final[Mapping[str, Callable[[str, list[str], int, random.Random], Iterator[Print]]]] = {
    "trades": _trade,
    "aggTrades": _aggregate,
    "candles": _candle,
}
