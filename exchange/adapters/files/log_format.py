"""The bytes of the embedded log: files of batches, and the files of single records that were before. Pure.

A file is `[EXLOG002][salt u64][first_offset u64][crc u32]` and batches. A batch is what one flush has
made durable: `[mark u32][body_size u32][count u32][first_offset u64][body_crc u32][header_crc u32]`, then
`count` times `[size u32][timestamp_ms u64][value]`. All little-endian. Each checksum begins with the
file's salt, so nothing that a user sends, and no batch of another file, can look like one of its batches.
A batch of no records says that the log was closed on purpose, and everything before it durable.

The files before (format 1) have no header: `[size u32][crc u32][timestamp_ms u64][value]` each record,
with timestamp and value under the checksum, the size not.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from exchange.ports.world import LogRecord

__all__ = [
    "BATCH_HEADER_SIZE_BYTES",
    "BODY_SIZE_BYTES_MAX",
    "FILE_HEADER_SIZE_BYTES",
    "OLD_HEADER_SIZE_BYTES",
    "VALUE_SIZE_BYTES_MAX",
    "BatchHeader",
    "batch",
    "durable_mark",
    "file_header",
    "find_batch",
    "find_old_record",
    "framed_size_bytes",
    "old_record",
    "parse_batch_header",
    "parse_durable_mark",
    "parse_file_header",
    "records_of_body",
]

# What older files may hold, too; no more is taken than LOG_RECORD_SIZE_BYTES_MAX (check_record).
VALUE_SIZE_BYTES_MAX: Final = 1_048_576
# What one flush makes durable, and so the most that a torn one can lose.
BODY_SIZE_BYTES_MAX: Final = 4 * 1_048_576

_MAGIC: Final = b"EXLOG002"
_FILE: Final = struct.Struct("<8sQQI")
_MARK: Final = b"\xa5EB\xa5"
_BATCH: Final = struct.Struct("<4sIIQII")
_DURABLE: Final = struct.Struct("<QQI")
_RECORD: Final = struct.Struct("<IQ")
_OLD: Final = struct.Struct("<IIQ")
_STAMP: Final = struct.Struct("<Q")
_CHECKSUM: Final = struct.Struct("<I")
_SALT: Final = struct.Struct("<Q")

FILE_HEADER_SIZE_BYTES: Final = _FILE.size
BATCH_HEADER_SIZE_BYTES: Final = _BATCH.size
OLD_HEADER_SIZE_BYTES: Final = _OLD.size
# A record of format 1 that is looked for behind a damaged one is no older, and not decades younger.
_OLD_SEARCH_MS_MAX: Final = 30 * 366 * 86_400_000
_OLD_STAMP_MS_MAX: Final = 2**43


class BatchHeader(NamedTuple):
    """What a batch says of itself. `body_size` in bytes; `records` is their number."""

    body_size: int
    records: int
    first_offset: int
    body_crc: int


def file_header(salt: int, first_offset: int) -> bytes:
    """How a file begins."""
    body = _FILE.pack(_MAGIC, salt, first_offset, 0)[: -_CHECKSUM.size]
    return body + _CHECKSUM.pack(zlib.crc32(body))


def parse_file_header(data: bytes) -> tuple[int, int] | None:
    """(salt, first offset) of a whole header, None of anything else."""
    if len(data) < _FILE.size:
        return None
    magic, salt, first_offset, checksum = _FILE.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(data[: _FILE.size - _CHECKSUM.size]) != checksum:
        return None
    return salt, first_offset


def framed_size_bytes(value: bytes) -> int:
    """What a value takes in a batch's body."""
    return _RECORD.size + len(value)


def batch(salt: int, first_offset: int, records: Sequence[LogRecord]) -> bytes:
    """The records of one flush as bytes; their offsets go on from `first_offset` without a gap."""
    parts: list[bytes] = []
    for record in records:
        parts += (_RECORD.pack(len(record.value), record.timestamp_ms), record.value)
    body = b"".join(parts)
    seed = zlib.crc32(_SALT.pack(salt))
    header = _BATCH.pack(_MARK, len(body), len(records), first_offset, zlib.crc32(body, seed), 0)
    header = header[: -_CHECKSUM.size]
    return header + _CHECKSUM.pack(zlib.crc32(header, seed)) + body


def parse_batch_header(data: bytes, position: int, salt: int) -> BatchHeader | None:
    """The whole header of a batch at `position` of `data`, None of anything else."""
    end = position + _BATCH.size
    if end > len(data):
        return None
    mark, body_size, count, first_offset, body_crc, checksum = _BATCH.unpack_from(data, position)
    seed = zlib.crc32(_SALT.pack(salt))
    if mark != _MARK or zlib.crc32(data[position : end - _CHECKSUM.size], seed) != checksum:
        return None
    return BatchHeader(body_size, count, first_offset, body_crc)


def records_of_body(header: BatchHeader, body: bytes, salt: int) -> list[LogRecord] | None:
    """The records of a whole body, None of anything else."""
    if len(body) != header.body_size or zlib.crc32(body, zlib.crc32(_SALT.pack(salt))) != header.body_crc:
        return None
    records: list[LogRecord] = []
    position = 0
    for offset in range(header.first_offset, header.first_offset + header.records):
        size, stamp = _RECORD.unpack_from(body, position)
        position += _RECORD.size
        records.append(LogRecord(offset, stamp, body[position : position + size]))
        position += size
    return records


def find_batch(data: bytes, salt: int) -> BatchHeader | None:
    """The first whole header of a batch anywhere in `data`."""
    position = data.find(_MARK)
    while position >= 0:
        header = parse_batch_header(data, position, salt)
        if header is not None:
            return header
        position = data.find(_MARK, position + 1)
    return None


def durable_mark(salt: int, position: int) -> bytes:
    """Says that the file with this salt was durable up to `position`, and perhaps further."""
    body = _DURABLE.pack(salt, position, 0)[: -_CHECKSUM.size]
    return body + _CHECKSUM.pack(zlib.crc32(body))


def parse_durable_mark(data: bytes) -> tuple[int, int] | None:
    """(salt, position) of a whole mark, None of anything else."""
    if len(data) != _DURABLE.size:
        return None
    salt, position, checksum = _DURABLE.unpack(data)
    if zlib.crc32(data[: -_CHECKSUM.size]) != checksum:
        return None
    return salt, position


def old_record(data: bytes, position: int, offset: int) -> LogRecord | None:
    """The whole record of format 1 at `position` of `data`, None of anything else."""
    start = position + _OLD.size
    if start > len(data):
        return None
    size, checksum, stamp = _OLD.unpack_from(data, position)
    if size > VALUE_SIZE_BYTES_MAX or start + size > len(data):
        return None
    value = data[start : start + size]
    if zlib.crc32(value, zlib.crc32(_STAMP.pack(stamp))) != checksum:
        return None
    return LogRecord(offset, stamp, value)


def find_old_record(data: bytes, not_before_ms: int) -> int | None:
    """Where in `data`, behind its first byte, a whole record of format 1 stands, None when nowhere.

    `not_before_ms`: time stamp of the record before. A size of format 1 cannot be trusted, so every byte
    is tried.
    """
    latest_ms = not_before_ms + _OLD_SEARCH_MS_MAX if not_before_ms else _OLD_STAMP_MS_MAX
    for position in range(1, len(data) - _OLD.size + 1):
        size, _, stamp = _OLD.unpack_from(data, position)
        if (
            size <= VALUE_SIZE_BYTES_MAX
            and not_before_ms <= stamp <= latest_ms
            and old_record(data, position, 0) is not None
        ):
            return position
    return None
