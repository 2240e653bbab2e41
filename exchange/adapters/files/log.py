"""The embedded log: one append-only file, group fsync, torn tails cut off on opening.

Each record is `[size u32][crc32 u32][timestamp_ms u64][value]`, little-endian; the checksum covers
timestamp and value. An append returns after an fsync that covers it; appends that arrive while one
runs share the next. Readers never see what is not yet durable. One process at a time owns the file
(flock), and all its components share one `FileLog`.
"""

import asyncio
import fcntl
import os
import struct
import time
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX
from exchange.ports.world import (
    Headers,
    LogError,
    LogReader,
    LogRecord,
    LogTimeoutError,
    LogWriter,
    check_record,
)

__all__ = ["FileLog", "FileRestorer"]

_HEADER = struct.Struct("<IIQ")
_STAMP = struct.Struct("<Q")
_READ_SIZE_BYTES = 1_048_576
_INDEX_EVERY_RECORDS = 256
_PENDING_RECORDS_MAX = 10_000


class FileLog:
    """A `Log` in one file. Open it with `FileLog.open`, close it at the end of the process."""

    def __init__(self, path: Path, file: BinaryIO, deadline_ms: int) -> None:
        self._path = path
        self._file = file
        self._deadline_s = deadline_ms / 1000
        # Sparse index: offset and file position of every 256th record.
        self._index_offsets = [0]
        self._index_positions = [0]
        self._end_offset = 0
        self._end_position = 0
        self._last: LogRecord | None = None
        self._pending: list[tuple[bytes, asyncio.Future[int]]] = []
        self._grown = asyncio.Condition()
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self.cut_bytes = 0

    @classmethod
    async def open(cls, path: Path, deadline_ms: int) -> "FileLog":
        """Open or create the file, check every record, cut a torn tail. Raises LogError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise LogError(f"{path.name} is in use by another process") from error
        log = cls(path, file, deadline_ms)
        try:
            await asyncio.to_thread(log._scan)
        except (LogError, OSError):
            file.close()
            raise
        log._flusher = asyncio.create_task(log._flush_forever(), name=f"flush {path.name}")
        return log

    async def close(self) -> None:
        """Flush what is pending and close the file."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        for _, future in self._pending:
            if not future.done():
                future.set_exception(LogError("the log was closed"))
        self._pending.clear()
        self._file.close()

    async def writer(self) -> LogWriter:
        """Open a writer."""
        return _FileWriter(self)

    async def reader(self, offset: int) -> LogReader:
        """Open a reader at `offset`."""
        if offset > self._end_offset:
            raise LogError(f"offset {offset} is beyond the log's end {self._end_offset}")
        return _FileReader(self, offset, self._deadline_s)

    async def end_offset(self) -> int:
        """Number of durable records."""
        return self._end_offset

    async def last(self) -> LogRecord | None:
        """The newest durable record."""
        return self._last

    async def append(self, value: bytes) -> int:
        """Append durably; see `LogWriter.append`."""
        if self._failure is not None:
            raise LogError(f"the log has failed: {self._failure}")
        check_record(value)
        if len(self._pending) >= _PENDING_RECORDS_MAX:
            raise LogError("too many appends are waiting")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.append((value, future))
        self._wake.set()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await future
        except TimeoutError:
            raise LogTimeoutError("the log did not take the record in time") from None

    async def _flush_forever(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                batch, self._pending = self._pending, []
                if batch:
                    await self._flush(batch)
        except OSError as error:
            self._failure = error

    async def _flush(self, batch: list[tuple[bytes, "asyncio.Future[int]"]]) -> None:
        stamp = time.time_ns() // 1_000_000
        if self._last is not None:
            stamp = max(stamp, self._last.timestamp_ms)
        records = [LogRecord(self._end_offset + i, stamp, value) for i, (value, _) in enumerate(batch)]
        frames = [_frame(record) for record in records]
        try:
            await asyncio.to_thread(self._write, b"".join(frames))
        except OSError as error:
            # What reached the disk is unknown: never write behind it.
            self._failure = error
            for _, future in batch:
                if not future.done():
                    future.set_exception(LogError(f"the log cannot be written: {error}"))
            raise
        for record, frame in zip(records, frames, strict=True):
            self._remember(record, len(frame))
        for record, (_, future) in zip(records, batch, strict=True):
            if not future.done():
                future.set_result(record.offset)
        async with self._grown:
            self._grown.notify_all()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        position = self._end_position
        while view:
            written = os.pwrite(self._file.fileno(), view, position)
            position += written
            view = view[written:]
        os.fdatasync(self._file.fileno())

    def _remember(self, record: LogRecord, size: int) -> None:
        if record.offset % _INDEX_EVERY_RECORDS == 0 and record.offset:
            self._index_offsets.append(record.offset)
            self._index_positions.append(self._end_position)
        self._end_offset = record.offset + 1
        self._end_position += size
        self._last = record

    def _scan(self) -> None:
        """Read the whole file once: index it and cut what a crash left half-written."""
        size = os.fstat(self._file.fileno()).st_size
        while self._end_position < size:
            record = self._read_one(self._end_position, self._end_offset)
            if record is None:
                self._refuse_damage_inside(size)
                break
            self._remember(record, _HEADER.size + len(record.value))
        self.cut_bytes = size - self._end_position
        if self.cut_bytes:
            os.ftruncate(self._file.fileno(), self._end_position)
            os.fdatasync(self._file.fileno())

    def _refuse_damage_inside(self, size: int) -> None:
        """A crash tears the last write only: a bad record with a whole one behind it is damage."""
        header = os.pread(self._file.fileno(), _HEADER.size, self._end_position)
        if len(header) < _HEADER.size:
            return
        following = self._end_position + _HEADER.size + int(_HEADER.unpack(header)[0])
        if following < size and self._read_one(following, self._end_offset + 1) is not None:
            raise LogError(
                f"record {self._end_offset} of {self._path.name} is damaged, with whole records behind it"
            )

    def _read_one(self, position: int, offset: int) -> LogRecord | None:
        header = os.pread(self._file.fileno(), _HEADER.size, position)
        if len(header) < _HEADER.size:
            return None
        size, checksum, stamp = _HEADER.unpack(header)
        if size > LOG_RECORD_SIZE_BYTES_MAX:
            return None
        value = os.pread(self._file.fileno(), size, position + _HEADER.size)
        if len(value) < size or zlib.crc32(value, zlib.crc32(_STAMP.pack(stamp))) != checksum:
            return None
        return LogRecord(offset, stamp, value)

    async def wait_for(self, offset: int, timeout_ms: int) -> bool:
        """Wait until the record `offset` is durable; False after the timeout."""
        if offset < self._end_offset:
            return True
        try:
            async with asyncio.timeout(timeout_ms / 1000), self._grown:
                await self._grown.wait_for(lambda: offset < self._end_offset)
        except TimeoutError:
            return False
        return True

    def position_of(self, offset: int) -> int:
        """File position of a durable record (or of the end)."""
        if offset == self._end_offset:
            return self._end_position
        slot = bisect_right(self._index_offsets, offset) - 1
        position = self._index_positions[slot]
        for _ in range(offset - self._index_offsets[slot]):
            (size,) = struct.unpack("<I", os.pread(self._file.fileno(), 4, position))
            position += _HEADER.size + size
        return position

    def read_from(self, position: int, offset: int) -> tuple[list[LogRecord], int]:
        """Return durable records from a position, about a mebibyte, and the position after them."""
        chunk_size = max(
            min(self._end_position - position, _READ_SIZE_BYTES),
            min(self._end_position - position, _HEADER.size + LOG_RECORD_SIZE_BYTES_MAX),
        )
        chunk = os.pread(self._file.fileno(), chunk_size, position)
        records: list[LogRecord] = []
        start = 0
        while start + _HEADER.size <= len(chunk):
            size, checksum, stamp = _HEADER.unpack_from(chunk, start)
            end = start + _HEADER.size + size
            if end > len(chunk):
                break
            value = chunk[start + _HEADER.size : end]
            if zlib.crc32(value, zlib.crc32(_STAMP.pack(stamp))) != checksum:
                raise LogError(f"record {offset + len(records)} of {self._path.name} is damaged")
            records.append(LogRecord(offset + len(records), stamp, value))
            start = end
        return records, position + start


def _frame(record: LogRecord) -> bytes:
    checksum = zlib.crc32(record.value, zlib.crc32(_STAMP.pack(record.timestamp_ms)))
    return _HEADER.pack(len(record.value), checksum, record.timestamp_ms) + record.value


class _FileWriter:
    def __init__(self, log: FileLog) -> None:
        self._log = log
        self._is_closed = False

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        # The file's format has no place for headers.
        if self._is_closed:
            raise LogError("the writer is closed")
        return await self._log.append(value)

    async def close(self) -> None:
        self._is_closed = True


class _FileReader:
    def __init__(self, log: FileLog, offset: int, deadline_s: float) -> None:
        self._log = log
        self._offset = offset
        self._position = log.position_of(offset)
        self._deadline_s = deadline_s

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        if not await self._log.wait_for(self._offset, timeout_ms):
            return []
        records, self._position = self._log.read_from(self._position, self._offset)
        self._offset += len(records)
        return records

    async def close(self) -> None:
        return None


class FileRestorer:
    """A `LogRestorer` of a log that is not there (or empty): written aside, renamed when it is finished."""

    def __init__(self, path: Path) -> None:
        """Raises LogError when the log holds records."""
        if path.exists() and path.stat().st_size:
            raise LogError(
                f"{path.name} holds records: a log that is there is never replaced from the archive"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_suffix(".restoring")
        self._file = self._partial.open("wb")
        self._next_offset = 0

    async def append(self, records: Sequence[LogRecord]) -> None:
        """Write the records as the live log would have."""
        if [record.offset for record in records] != list(
            range(self._next_offset, self._next_offset + len(records))
        ):
            raise LogError(f"{self._path.name}: expected record {self._next_offset}")
        try:
            await asyncio.to_thread(self._file.write, b"".join(map(_frame, records)))
        except OSError as error:
            raise LogError(f"{self._path.name} cannot be written: {error}") from error
        self._next_offset += len(records)

    async def finish(self) -> None:
        """Make it durable and give it its name."""
        try:
            await asyncio.to_thread(self._finish)
        except OSError as error:
            raise LogError(f"{self._path.name} cannot be written: {error}") from error

    def _finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.chmod(0o600)
        os.replace(self._partial, self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    async def close(self) -> None:
        """Close the file; an unfinished one is left and overwritten by the next try."""
        self._file.close()
