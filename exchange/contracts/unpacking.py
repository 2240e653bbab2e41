"""Frequent commands straight from their record's bytes; whatever is unusual is left to the codec.

Only what the codec would take, and takes in the same way: anything else gives None, and the codec, which is
total, decides what it is (`tests/unit/exchange/test_packing.py` holds both to the same commands).
"""

from typing import Final

from librt.strings import read_i16_be, read_i32_be, read_i64_be
from mypy_extensions import i64, mypyc_attr

from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    PlaceOrder,
)
from exchange.contracts.limits import COMMANDS_PER_RECORD_MAX

__all__ = ["IS_COMPILED", "read_commands"]

# The interpreter is faster by the codec.
IS_COMPILED: Final = not __file__.endswith(".py")
_FORMAT: Final = 1


class UnusualError(Exception):
    """These bytes are not what `Reader` reads."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Reader:
    """A place in the bytes of a record."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at: i64 = 0
        self._size: i64 = len(data)

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at == self._size

    def _take(self, count: i64) -> i64:
        """Go on by `count` bytes; where they begin."""
        at = self._at
        if at + count > self._size:
            raise UnusualError
        self._at = at + count
        return at

    def array(self) -> i64:
        """How many entries the array has whose head stands here."""
        head: i64 = self._data[self._take(1)]
        if 0x90 <= head <= 0x9F:
            return head - 0x90
        if head != 0xDC:
            raise UnusualError
        return i64(read_i16_be(self._data, self._take(2))) & 0xFFFF

    def integer(self) -> i64:
        """A number from 0 to 2^63 - 1."""
        head: i64 = self._data[self._take(1)]
        if head < 0x80:
            return head
        value: i64
        if head == 0xCC:
            value = self._data[self._take(1)]
        elif head == 0xCD:
            value = i64(read_i16_be(self._data, self._take(2))) & 0xFFFF
        elif head == 0xCE:
            value = i64(read_i32_be(self._data, self._take(4))) & 0xFFFF_FFFF
        elif head == 0xCF:
            value = read_i64_be(self._data, self._take(8))
            if value < 0:
                raise UnusualError
        else:
            raise UnusualError
        return value

    def text(self) -> str:
        """A text of at most 255 bytes of UTF-8."""
        size: i64 = self._data[self._take(1)]
        if size == 0xA0:
            return ""
        if 0xA0 < size <= 0xBF:
            size -= 0xA0
        elif size == 0xD9:
            size = self._data[self._take(1)]
        else:
            raise UnusualError
        at = self._take(size)
        return self._data[at : at + size].decode("utf-8")


def read_commands(record: bytes) -> list[Command] | None:
    """The commands of a record, None where the codec has to look at it. `record`: as on the command log."""
    try:
        reader = Reader(record)
        if reader.array() != 2 or reader.integer() != _FORMAT:
            return None
        count = reader.array()
        if count > COMMANDS_PER_RECORD_MAX:
            return None
        commands: list[Command] = []
        for _ in range(count):
            commands.append(_command(reader))
        return commands if commands and reader.at_end() else None
    except (UnusualError, UnicodeDecodeError):
        return None


def _command(reader: Reader) -> Command:
    if reader.array() != 2:
        raise UnusualError
    tag, fields = reader.integer(), reader.array()
    if tag == 4 and fields == 12:
        return PlaceOrder(
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.text(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
        )
    if tag == 5 and fields == 8:
        return CancelOrder(
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.integer(),
            reader.text(),
            reader.text(),
            reader.integer(),
            reader.integer(),
        )
    if tag == 6 and fields == 5:
        return CancelAllOrders(
            reader.integer(), reader.integer(), reader.integer(), reader.text(), reader.integer()
        )
    if tag == 7 and fields == 5:
        return CreditDeposit(
            reader.integer(), reader.integer(), reader.integer(), reader.integer(), reader.integer()
        )
    if tag == 21 and fields == 3:
        return KeepTime(reader.integer(), reader.integer(), reader.integer())
    raise UnusualError
