"""The embedded log: a folder of append-only files, group fsync, a torn flush cut off on opening.

An append returns after an fsync that covers it; appends that arrive while one runs share the next, as one
batch (log_format.py), written by the log's own thread. Readers never see what is not yet durable. A file
that is full is followed by the next one, named by its first offset; `remove_before` takes away whole files.
One process at a time owns the folder (flock), and all its components share one `FileLog`.

What a log was before, one file of format 1 in the folder's place, becomes the folder's first file.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from exchange.adapters.files.log_files import BatchFile, LogFile, sync_folder, write_at
from exchange.adapters.files.log_format import (
    BODY_SIZE_BYTES_MAX,
    batch,
    durable_mark,
    framed_size_bytes,
    parse_durable_mark,
)
from exchange.adapters.files.readable import OLD_NAME, ReadableFiles, files_in, last_of
from exchange.adapters.files.recent import RecentRecords
from exchange.ports.world import (
    Headers,
    LogError,
    LogRecord,
    LogTimeoutError,
    LogWriter,
    check_record,
)
from exchange.process.loop.deadlines import Deadlines
from exchange.process.loop.worker import WorkerThread
from exchange.wall_clock import clock_ms

__all__ = ["FILE_SIZE_BYTES", "FileLog"]

# A file that has reached this is followed by the next one: what retention removes at once.
FILE_SIZE_BYTES: Final = 64 * 1_048_576
_PENDING_RECORDS_MAX: Final = 10_000
# How often a small file beside the newest one notes up to where that is durable; the note has no fsync.
DURABLE_MARK_EVERY_S: Final = 1.0
_DURABLE_MARK: Final = "durable"


class FileLog(ReadableFiles):
    """A `Log` in one folder. Open it with `FileLog.open`, close it at the end of the process."""

    def __init__(self, path: Path, descriptor: int, deadline_ms: int, file_size_bytes: int) -> None:
        super().__init__(path)
        # Of the folder, for its lock.
        self._descriptor = descriptor
        self._deadline_s = deadline_ms / 1000
        self._file_size_bytes = file_size_bytes
        self._newest: BatchFile
        self._pending: list[tuple[bytes, asyncio.Future[int]]] = []
        self._deadlines = Deadlines(self._deadline_s)
        self._writer: WorkerThread
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_closing = False
        self._has_grown = False
        self._marked_s = time.monotonic()
        self.cut_bytes = 0

    @classmethod
    async def open(cls, path: Path, deadline_ms: int, *, file_size_bytes: int = FILE_SIZE_BYTES) -> "FileLog":
        """Open or create the folder, check its newest file, cut a torn flush. Raises LogError, OSError."""
        await asyncio.to_thread(_adopt, path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _lock(descriptor, path)
            log = cls(path, descriptor, deadline_ms, file_size_bytes)
            await asyncio.to_thread(log._load)
        except (LogError, OSError):
            os.close(descriptor)
            raise
        log._writer = WorkerThread(f"write {path.name}")
        log._flusher = asyncio.create_task(log._flush_forever(), name=f"flush {path.name}")
        return log

    async def close(self) -> None:
        """Flush what is pending, note that all of it is durable, and let go of the folder."""
        self._is_closing = True
        self._wake.set()
        is_idle = True
        if self._flusher is not None:
            done, _ = await asyncio.wait([self._flusher], timeout=self._deadline_s)
            is_idle = bool(done)
        for _, future in self._pending:
            if not future.done():
                future.set_exception(LogError("the log was closed"))
        self._pending.clear()
        if not is_idle:
            # A disk that hangs: the flush ends some time with the process, and its file stays open for it.
            self._writer.close()
            return
        if self._failure is None and self._has_grown:
            with contextlib.suppress(OSError):
                await self._writer.run(self._write, [])
        self._writer.close()
        self._newest.release()
        os.close(self._descriptor)

    async def writer(self) -> LogWriter:
        """Open a writer."""
        return _FileWriter(self)

    async def remove_before(self, offset: int) -> None:
        """Forget records before `offset`: whole files, and never the newest record. Raises OSError."""
        while len(self._files) > 1:
            oldest = self._files[0]
            if oldest.end_offset > min(offset, self.end - 1):
                return
            del self._files[0]
            self.recent.forget_before(oldest.end_offset)
            await asyncio.to_thread(oldest.path.unlink)
            await asyncio.to_thread(sync_folder, self._path)

    async def append(self, value: bytes) -> int:
        """Append durably; see `LogWriter.append`."""
        if self._failure is not None:
            raise LogError(f"the log has failed: {self._failure}")
        if self._is_closing:
            raise LogError("the log was closed")
        check_record(value)
        if len(self._pending) >= _PENDING_RECORDS_MAX:
            raise LogError("too many appends are waiting")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.append((value, future))
        self._wake.set()
        self._deadlines.watch(future)
        try:
            return await future
        except TimeoutError:
            raise LogTimeoutError("the log did not take the record in time") from None

    async def _flush_forever(self) -> None:
        try:
            while self._pending or not self._is_closing:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    await self._flush(self._next_batch())
        except OSError as error:
            self._failure = error

    def _next_batch(self) -> list[tuple[bytes, "asyncio.Future[int]"]]:
        """Take what waits, as much as one batch holds and at least one record."""
        size_bytes = 0
        for count, (value, _) in enumerate(self._pending):
            size_bytes += framed_size_bytes(value)
            if size_bytes > BODY_SIZE_BYTES_MAX:
                taken, self._pending = self._pending[:count], self._pending[count:]
                return taken
        taken, self._pending = self._pending, []
        return taken

    async def _flush(self, taken: list[tuple[bytes, "asyncio.Future[int]"]]) -> None:
        stamp = clock_ms()
        if self._last is not None:
            stamp = max(stamp, self._last.timestamp_ms)
        records = [LogRecord(self.end + i, stamp, value) for i, (value, _) in enumerate(taken)]
        try:
            size_bytes = await self._writer.run(self._write, records)
        except OSError as error:
            # What reached the disk is unknown: never write behind it.
            self._failure = error
            for _, future in taken:
                if not future.done():
                    future.set_exception(LogError(f"the log cannot be written: {error}"))
            raise
        self._newest.remember(records, size_bytes)
        for full in self._files[-2:-1]:
            # Here and not in `_write`: no reader is in the middle of it now.
            full.release()
        self.end = self._newest.end_offset
        self.recent.add(records)
        self._last = records[-1]
        self._has_grown = True
        for record, (_, future) in zip(records, taken, strict=True):
            if not future.done():
                future.set_result(record.offset)
        self._wake_readers()

    def _write(self, records: list[LogRecord]) -> int:
        """Make a batch durable behind the rest; returns its size in bytes."""
        if records and self._newest.is_full(self._file_size_bytes):
            # In the list only when it can be written: a reader may look at the list meanwhile.
            newest = BatchFile.create(self._path, self.end)
            newest.hold()
            self._newest = newest
            self._files.append(newest)
        data = batch(self._newest.salt, self.end, records)
        write_at(self._newest.hold(), data, self._newest.end_position)
        now_s = time.monotonic()
        if now_s - self._marked_s >= DURABLE_MARK_EVERY_S:
            self._marked_s = now_s
            mark = durable_mark(self._newest.salt, self._newest.end_position + len(data))
            with contextlib.suppress(OSError):  # The batch is durable all the same.
                (self._path / _DURABLE_MARK).write_bytes(mark)
        return len(data)

    def _durable_to(self, newest: LogFile) -> int:
        """How far the newest file was durable when that was last noted; 0 when nothing is known."""
        with contextlib.suppress(FileNotFoundError):
            mark = parse_durable_mark((self._path / _DURABLE_MARK).read_bytes())
            if mark is not None and isinstance(newest, BatchFile) and mark[0] == newest.salt:
                return mark[1]
        return 0

    def _load(self) -> None:
        """Find the files, and where the log ends. Raises LogError, OSError."""
        for fresh in self._path.glob("*.fresh"):
            fresh.unlink()
        files = files_in(self._path)
        if files:
            files[-1].check_newest(self._durable_to(files[-1]))
            self.end = files[-1].end_offset
            self.cut_bytes = files[-1].cut_bytes
            self._last = last_of(files)
        newest = files[-1] if files else None
        if not isinstance(newest, BatchFile):
            newest = BatchFile.create(self._path, self.end)
            files.append(newest)
        newest.hold()
        self._files, self._newest = files, newest
        self.recent = RecentRecords(self.end)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise LogError(f"{path.name} is in use by another process") from error


def _adopt(path: Path) -> None:
    """Make the folder at `path`. A file of format 1 there becomes its first file, whenever it is interrupted.

    A version that knows that format alone finds a folder then, and ends without touching it.
    """
    staging = path.with_name(f"{path.name}.adopting")
    if path.is_file():
        with path.open("rb") as file:
            _lock(file.fileno(), path)
            staging.mkdir(exist_ok=True, mode=0o700)
            path.rename(staging / OLD_NAME)
    if not path.exists() and staging.exists():
        sync_folder(staging)
        staging.rename(path)
        sync_folder(path.parent)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


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
