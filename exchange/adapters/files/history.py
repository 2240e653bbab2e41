"""The market's history in a folder: what DynamoDB and Kinesis do in AWS, for one machine.

A table is one file of JSON lines, of which the newest of each key counts; a stream is one file of JSON lines
for each key. Both only grow, and are durable before `put` returns. What a crash left half-written is cut off.
"""

import asyncio
import fcntl
import os
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from exchange.ports.object_keys import check_key
from exchange.ports.world import HistoryError, HistoryRow, ObjectStoreError

__all__ = ["FolderStream", "FolderTable"]

# All rows of a table are kept in memory: half a kilobyte each.
ROWS_MAX: Final = 2_000_000
_DEADLINE_S: Final = 30.0
_decoder: Final = msgspec.json.Decoder(HistoryRow)

_T = TypeVar("_T")


class _Lines:
    """A file of lines. The first append takes it for this process alone; others may read meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._position = 0

    def fresh(self) -> list[bytes]:
        """Whole lines that were not read yet."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        self._position += sum(map(len, lines))
        return lines

    def hold(self) -> None:
        """Take the file before the first append. Raises HistoryError when another process has it."""
        if self._file is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise HistoryError(f"{self._path.name} is in use by another process") from error
        self._file = file

    def append(self, lines: bytes) -> None:
        """Write behind the last whole line, durably; all lines must have been read."""
        assert self._file is not None, "hold() was not called"
        self._file.truncate(self._position)
        self._file.seek(self._position)
        written = 0
        while written < len(lines):
            written += self._file.write(lines[written:]) or 0
        os.fsync(self._file.fileno())
        self._position += len(lines)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class FolderTable:
    """A `HistoryTable` in `<folder>/<name>.jsonl`, written by one process at a time and read by any."""

    def __init__(self, folder: Path, name: str) -> None:
        self._lines = _Lines(folder / f"{name}.jsonl")
        self._lock = threading.Lock()
        self._rows: dict[str, dict[int, HistoryRow]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._count = 0

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        """Append the rows that differ from what is there."""

        def put() -> Sequence[HistoryRow]:
            self._lines.hold()
            self._catch_up()
            distinct = {(row.series, row.number): row for row in rows}.values()
            changed = [row for row in distinct if self._changes(row, newer_by)]
            if changed:
                self._lines.append(b"".join(msgspec.json.encode(row) + b"\n" for row in changed))
                for row in changed:
                    self._keep(row)
            return ()

        return await _in_thread(self._lock, put)

    async def read(
        self, series: str, first: int, last: int, *, limit: int, newest_first: bool = False
    ) -> list[HistoryRow]:
        """From memory, after what others have appended."""

        def read() -> list[HistoryRow]:
            self._catch_up()
            numbers = self._numbers.get(series, [])
            numbers = numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]
            chosen = numbers[::-1][: max(0, limit)] if newest_first else numbers[: max(0, limit)]
            return [self._rows[series][number] for number in chosen]

        return await _in_thread(self._lock, read)

    async def close(self) -> None:
        """Let the file go."""
        self._lines.close()

    def _changes(self, row: HistoryRow, newer_by: str | None) -> bool:
        stored = self._rows.get(row.series, {}).get(row.number)
        if stored is None or newer_by is None:
            return stored != row
        old, new = stored.values[newer_by], row.values[newer_by]
        return isinstance(old, int) and isinstance(new, int) and old < new

    def _catch_up(self) -> None:
        for line in self._lines.fresh():
            try:
                self._keep(_decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise HistoryError(f"a line of the table is damaged: {error}") from error

    def _keep(self, row: HistoryRow) -> None:
        rows = self._rows.setdefault(row.series, {})
        if row.number not in rows:
            if self._count >= ROWS_MAX:
                raise HistoryError(f"more than {ROWS_MAX} rows: a folder is for one machine's tests")
            self._count += 1
            insort(self._numbers.setdefault(row.series, []), row.number)
        rows[row.number] = row


class FolderStream:
    """A `RecordStream` in `<folder>/<key>.jsonl`. Records are whole lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, _Lines] = {}

    async def put(self, records: Mapping[str, bytes]) -> Sequence[str]:
        """Append to each file."""

        def put() -> Sequence[str]:
            for key, data in records.items():
                self._file(key).append(data)
            return ()

        return await _in_thread(self._lock, put)

    async def close(self) -> None:
        """Let the files go."""
        for file in self._files.values():
            file.close()

    def _file(self, key: str) -> _Lines:
        file = self._files.get(key)
        if file is None:
            try:
                check_key(key)
            except ObjectStoreError as error:
                raise HistoryError(str(error)) from error
            file = _Lines(self._folder / f"{key}.jsonl")
            file.hold()
            file.fresh()
            self._files[key] = file
        return file


async def _in_thread(lock: threading.Lock, work: Callable[[], _T]) -> _T:
    def alone() -> _T:
        with lock:
            return work()

    try:
        async with asyncio.timeout(_DEADLINE_S):
            return await asyncio.to_thread(alone)
    except (OSError, TimeoutError) as error:
        raise HistoryError(repr(error)) from error
