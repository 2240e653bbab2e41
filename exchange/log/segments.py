"""One segment of an archived log as bytes. Pure.

`magic | SHA-256 of the rest | msgpack [format, log, first_offset, next_offset, size, compressed]`, where
`compressed` is zlib over `size` bytes of msgpack `[[offset, timestamp_ms, value], …]`. Records are those
of the log, byte for byte; offsets are gapless.
"""

import hashlib
import re
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from exchange.ports.world import LogRecord

__all__ = ["ArchiveError", "Segment", "first_offset_of", "pack", "segment_name", "unpack"]

FORMAT: Final = 1
_MAGIC: Final = b"EXSEG001"
_HASH_SIZE_BYTES: Final = 32
# A segment is closed at some mebibytes; whoever promises more than this is not to be unpacked.
UNPACKED_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
_LEVEL: Final = 6
_NAME: Final = re.compile(r"([0-9]{20})\.seg", re.ASCII)
_header: Final = msgspec.msgpack.Decoder(tuple[int, str, int, int, int, bytes])
_records: Final = msgspec.msgpack.Decoder(list[LogRecord])


class ArchiveError(Exception):
    """The archive contradicts itself or the log: stop, do not guess."""


class Segment(NamedTuple):
    """Some records of one log ("commands" or "events"), at least one."""

    log: str
    records: Sequence[LogRecord]

    @property
    def next_offset(self) -> int:
        """Where the following segment begins."""
        return self.records[-1].offset + 1


def segment_name(first_offset: int) -> str:
    """The last part of a segment's key: its first offset alone, so that no two can overlap."""
    return f"{first_offset:020d}.seg"


def first_offset_of(key: str) -> int:
    """The first offset of the segment under `key`. Raises ArchiveError for a key that is none."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    if match is None:
        raise ArchiveError(f"{key} is not the key of a segment")
    return int(match[1])


def pack(segment: Segment) -> bytes:
    """The segment as bytes; equal segments give equal bytes."""
    plain = msgspec.msgpack.encode([tuple(record) for record in segment.records])
    compressed = zlib.compress(plain, _LEVEL)
    fields = (FORMAT, segment.log, segment.records[0].offset, segment.next_offset, len(plain), compressed)
    rest = msgspec.msgpack.encode(fields)
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def unpack(body: bytes, log: str, first_offset: int) -> Segment:
    """The segment of `log` that begins at `first_offset`. Raises ArchiveError when it is anything else."""
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    rest = body[start:]
    name = f"segment {first_offset} of {log}"
    if body[: len(_MAGIC)] != _MAGIC or body[len(_MAGIC) : start] != hashlib.sha256(rest).digest():
        raise ArchiveError(f"{name} is damaged")
    try:
        form, of_log, first, end, size, compressed = _header.decode(rest)
        if form != FORMAT:
            raise ArchiveError(f"{name} has the unknown format {form}")
        if size > UNPACKED_SIZE_BYTES_MAX:
            raise ArchiveError(f"{name} would unpack to {size} bytes")
        records = _records.decode(zlib.decompressobj().decompress(compressed, size + 1))
    except (msgspec.DecodeError, zlib.error) as error:
        raise ArchiveError(f"{name} cannot be read: {error}") from error
    offsets = [record.offset for record in records]
    if (of_log, first) != (log, first_offset) or not records or offsets != list(range(first, end)):
        raise ArchiveError(f"{name} holds other records: {of_log} {first} to {end}, {len(records)} records")
    return Segment(log, records)
