"""An embedded log filled with archived records, with the offsets and the time stamps that they had."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from exchange.adapters.files.log import FILE_SIZE_BYTES
from exchange.adapters.files.log_files import BatchFile, sync_folder
from exchange.adapters.files.log_format import (
    BODY_SIZE_BYTES_MAX,
    FILE_HEADER_SIZE_BYTES,
    batch,
    framed_size_bytes,
)
from exchange.ports.world import LogError, LogRecord

__all__ = ["FileRestorer"]


class FileRestorer:
    """A `LogRestorer` of a log that is not there (or empty): written aside, renamed when it is finished."""

    def __init__(self, path: Path, *, file_size_bytes: int = FILE_SIZE_BYTES) -> None:
        """Raises LogError when the log holds records, OSError."""
        if _holds_records(path):
            raise LogError(
                f"{path.name} holds records: a log that is there is never replaced from the archive"
            )
        self._path = path
        self._file_size_bytes = file_size_bytes
        self._partial = path.with_suffix(".restoring")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True, mode=0o700)
        self._newest = BatchFile.create(self._partial, 0)
        self._next_offset = 0

    async def append(self, records: Sequence[LogRecord]) -> None:
        """Write the records as the live log would have."""
        if [record.offset for record in records] != list(
            range(self._next_offset, self._next_offset + len(records))
        ):
            raise LogError(f"{self._path.name}: expected record {self._next_offset}")
        try:
            await asyncio.to_thread(self._write, records)
        except OSError as error:
            raise LogError(f"{self._path.name} cannot be written: {error}") from error
        self._next_offset += len(records)

    async def finish(self) -> None:
        """Make it durable and give it its name."""
        try:
            await asyncio.to_thread(self._finish)
        except OSError as error:
            raise LogError(f"{self._path.name} cannot be written: {error}") from error

    async def close(self) -> None:
        """Close the files; an unfinished log is left and made anew by the next try."""
        self._newest.release()

    def _write(self, records: Sequence[LogRecord]) -> None:
        for chunk in _batches(records):
            if self._newest.is_full(self._file_size_bytes):
                self._sync()
                self._newest = BatchFile.create(self._partial, chunk[0].offset)
            data = batch(self._newest.salt, chunk[0].offset, chunk)
            descriptor = self._newest.hold()
            os.lseek(descriptor, self._newest.end_position, os.SEEK_SET)
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            self._newest.remember(chunk, len(data))

    def _sync(self) -> None:
        os.fsync(self._newest.hold())
        self._newest.release()

    def _finish(self) -> None:
        self._sync()
        if self._path.is_file():
            self._path.unlink()
        shutil.rmtree(self._path, ignore_errors=True)
        sync_folder(self._partial)
        self._partial.rename(self._path)
        sync_folder(self._path.parent)


def _holds_records(path: Path) -> bool:
    if path.is_file():
        return path.stat().st_size > 0
    # Several files, or one with anything behind its header, be it a whole record or a torn one.
    return len(list(path.glob("*.log*"))) > 1 or any(
        file.stat().st_size > FILE_HEADER_SIZE_BYTES for file in path.glob("*.log*")
    )


def _batches(records: Sequence[LogRecord]) -> Iterator[list[LogRecord]]:
    """The records as batches, each as large as a flush may be."""
    chunk: list[LogRecord] = []
    size_bytes = 0
    for record in records:
        size_bytes += framed_size_bytes(record.value)
        if size_bytes > BODY_SIZE_BYTES_MAX:
            yield chunk
            chunk, size_bytes = [], framed_size_bytes(record.value)
        chunk.append(record)
    if chunk:
        yield chunk
