"""Numbers, texts and arrays as MessagePack, each in its shortest form."""

from typing import Final

from librt.strings import BytesWriter, write_i16_be, write_i32_be, write_i64_be
from mypy_extensions import i16, i32, i64, u8

_SHORT_ARRAY_MAX: Final = 15
_SHORT_TEXT_MAX: Final = 31


def put_integer(out: BytesWriter, value: i64) -> None:
    """A number from 0 to 2^63 - 1; nothing on the logs is negative."""
    assert value >= 0, "what is on a log is not negative"
    if value < 0x80:
        out.append(u8(value))
    elif value < 0x100:
        out.append(0xCC)
        out.append(u8(value))
    elif value < 0x1_0000:
        out.append(0xCD)
        write_i16_be(out, i16(value if value < 0x8000 else value - 0x1_0000))
    elif value < 0x1_0000_0000:
        out.append(0xCE)
        write_i32_be(out, i32(value if value < 0x8000_0000 else value - 0x1_0000_0000))
    else:
        out.append(0xCF)
        write_i64_be(out, value)


def put_text(out: BytesWriter, text: str) -> None:
    """A text of at most 65,535 bytes of UTF-8: those of commands and events have a thousand at most."""
    if not text:
        out.append(0xA0)
        return
    data = text.encode("utf-8")
    size: i64 = len(data)
    if size <= _SHORT_TEXT_MAX:
        out.append(u8(0xA0 + size))
    elif size < 0x100:
        out.append(0xD9)
        out.append(u8(size))
    else:
        assert size < 0x8000, "a text of a message is short"
        out.append(0xDA)
        write_i16_be(out, i16(size))
    out.write(data)


def put_array(out: BytesWriter, count: i64) -> None:
    """The head of an array; its entries follow."""
    if count <= _SHORT_ARRAY_MAX:
        out.append(u8(0x90 + count))
    elif count < 0x1_0000:
        out.append(0xDC)
        write_i16_be(out, i16(count if count < 0x8000 else count - 0x1_0000))
    else:
        out.append(0xDD)
        write_i32_be(out, i32(count))


def put_bytes(out: BytesWriter, data: bytes) -> None:
    """Plain bytes."""
    size: i64 = len(data)
    if size < 0x100:
        out.append(0xC4)
        out.append(u8(size))
    elif size < 0x1_0000:
        out.append(0xC5)
        write_i16_be(out, i16(size if size < 0x8000 else size - 0x1_0000))
    else:
        out.append(0xC6)
        write_i32_be(out, i32(size))
    out.write(data)
