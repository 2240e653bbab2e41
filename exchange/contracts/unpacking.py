"""Frequent commands straight from their record's bytes; whatever is unusual is left to the codec.

Only what the codec would take, and takes in the same way, each value in its shortest form as senders write
it: anything else gives None, and the codec, which is total, decides what it is
(`tests/unit/exchange/test_packing.py` holds both to the same commands).
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

__all__ = ["IS_COMPILED", "Reader", "UnusualError", "read_commands"]

# The interpreter is faster by the codec.
IS_COMPILED: Final = not __file__.endswith(".py")
_FORMAT: Final = 1
_NOT_ASCII: Final[i64] = -0x7F7F7F7F7F7F7F80  # the highest bit of each of eight bytes


class UnusualError(Exception):
    """These bytes are not what `Reader` reads."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Reader:
    """A place in the bytes of a record."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # Each byte as a letter: to copy a name from there costs half of copying its bytes and decoding them.
        self._letters = data.decode("latin-1")
        self._at: i64 = 0
        self._size: i64 = len(data)

    def place(self) -> i64:
        """How many bytes have been read."""
        return self._at

    def since(self, place: i64) -> bytes:
        """What has been read since then."""
        return self._data[place : self._at]

    def go_to(self, place: i64) -> None:
        """Read again from a place that was read from before."""
        self._at = place

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

    def _byte(self) -> i64:
        """The byte here. Most of a command's values are no longer than that."""
        at = self._at
        if at >= self._size:
            raise UnusualError
        self._at = at + 1
        return i64(self._data[at])

    def array(self) -> i64:
        """How many entries the array has whose head stands here."""
        head = self._byte()
        if 0x90 <= head <= 0x9F:
            return head - 0x90
        if head != 0xDC:
            raise UnusualError
        return i64(read_i16_be(self._data, self._take(2))) & 0xFFFF

    def long_array(self) -> i64:
        """How many entries the array has whose head is that of the longest ones, however many they are."""
        if self._byte() != 0xDD:
            raise UnusualError
        return i64(read_i32_be(self._data, self._take(4))) & 0xFFFF_FFFF

    def skip(self) -> None:
        """Go past one number, text, piece of bytes or array, whatever is in it."""
        left: i64 = 1
        while left > 0:
            left -= 1
            head = self._byte()
            if head < 0x80 or head >= 0xE0:
                continue
            if 0x90 <= head <= 0x9F:
                left += head - 0x90
            elif 0xA0 <= head <= 0xBF:
                self._take(head - 0xA0)
            elif head == 0xDC:
                left += i64(read_i16_be(self._data, self._take(2))) & 0xFFFF
            elif head == 0xDD:
                left += i64(read_i32_be(self._data, self._take(4))) & 0xFFFF_FFFF
            else:
                self._skip_long(head)

    def _skip_long(self, head: i64) -> None:
        if 0xCC <= head <= 0xCF:
            self._take(1 << (head - 0xCC))
        elif 0xD0 <= head <= 0xD3:
            self._take(1 << (head - 0xD0))
        elif head in (0xC4, 0xD9):
            self._take(self._byte())
        elif head in (0xC5, 0xDA):
            self._take(i64(read_i16_be(self._data, self._take(2))) & 0xFFFF)
        elif head in (0xC6, 0xDB):
            self._take(i64(read_i32_be(self._data, self._take(4))) & 0xFFFF_FFFF)
        else:
            raise UnusualError

    def integer(self) -> i64:
        """A number from 0 to 2^63 - 1."""
        at = self._at
        if at >= self._size:
            raise UnusualError
        self._at = at + 1
        head: i64 = self._data[at]
        return head if head < 0x80 else self._long(head)

    def _long(self, head: i64) -> i64:
        """A number that stands behind its head."""
        value: i64
        shorter: i64  # what would stand in less bytes
        if head == 0xCC:
            value, shorter = self._byte(), 0x80
        elif head == 0xCD:
            value, shorter = i64(read_i16_be(self._data, self._take(2))) & 0xFFFF, 0x100
        elif head == 0xCE:
            value, shorter = i64(read_i32_be(self._data, self._take(4))) & 0xFFFF_FFFF, 0x1_0000
        elif head == 0xCF:
            value, shorter = read_i64_be(self._data, self._take(8)), 0x1_0000_0000
        else:
            raise UnusualError
        if value < shorter:
            raise UnusualError  # Or it is beyond 2^63 - 1.
        return value

    def text(self) -> str:
        """A text of at most 255 bytes of UTF-8."""
        size = self._byte()
        if size == 0xA0:
            return ""
        if 0xA0 < size <= 0xBF:
            size -= 0xA0
        elif size == 0xD9:
            size = self._byte()
            if size < 0x20:
                raise UnusualError
        else:
            raise UnusualError
        at = self._take(size)
        end = at + size
        if self._is_ascii(at, end):
            return self._letters[at:end]
        return self._data[at:end].decode("utf-8")

    def _is_ascii(self, at: i64, end: i64) -> bool:
        """Whether each of these bytes is a letter by itself."""
        data = self._data
        while at + 8 <= end:
            if read_i64_be(data, at) & _NOT_ASCII:
                return False
            at += 8
        while at < end:
            if data[at] >= 0x80:
                return False
            at += 1
        return True


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


def _order(reader: Reader) -> PlaceOrder:
    command_id, begun = reader.integer(), reader.place()
    user_id, market_id, name = reader.integer(), reader.integer(), reader.text()
    side, order_type, time_in_force = reader.integer(), reader.integer(), reader.integer()
    price_ticks, lots, quote_atoms = reader.integer(), reader.integer(), reader.integer()
    stp_mode = reader.integer()
    as_sent = reader.since(begun)
    order = PlaceOrder(
        command_id,
        user_id,
        market_id,
        name,
        side,
        order_type,
        time_in_force,
        price_ticks,
        lots,
        quote_atoms,
        stp_mode,
        reader.integer(),
    )
    order.as_sent = as_sent
    return order


def _command(reader: Reader) -> Command:
    if reader.array() != 2:
        raise UnusualError
    tag, fields = reader.integer(), reader.array()
    if tag == 4 and fields == 12:
        return _order(reader)
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
