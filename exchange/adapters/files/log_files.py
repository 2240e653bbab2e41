"""The files that an embedded log is made of: what is whole in them, and what a crash has torn.

Only one flush is ever under way, and the next one begins when it is durable. So a crash tears the last
batch of the newest file and nothing else, whichever of its pages have landed. Whatever cannot be read and
has anything of a later flush behind it is damage: then nothing is cut, and the log refuses to open.
"""

import contextlib
import os
import secrets
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from exchange.adapters.files import log_format as form
from exchange.ports.world import LogError, LogRecord

__all__ = ["BatchFile", "LogFile", "OldFile", "sync_folder", "write_at"]

_READ_SIZE_BYTES: Final = 1_048_576
_INDEX_EVERY_BYTES: Final = 65_536
# A torn flush is one batch at most; what is longer was acknowledged.
_TORN_SIZE_BYTES_MAX: Final = form.BATCH_HEADER_SIZE_BYTES + form.BODY_SIZE_BYTES_MAX
_TORN_FILES_MAX: Final = 4
_WAY_BACK: Final = (
    "Nothing was changed. Keep a copy of the folder, and restore the logs from the archive: "
    "move the folder `log` away, then `make rebuild FROM=archive`"
)


class LogFile:
    """One file of a log: records from `first_offset` up to `end_offset`, the latter once it is known.

    `walk` yields what is whole from a position on, and ends at the first thing that is not.
    """

    start_position = 0

    def __init__(self, path: Path, first_offset: int) -> None:
        self.path = path
        self.first_offset = first_offset
        self.end_offset = first_offset
        self.end_position = self.start_position
        self.last: LogRecord | None = None
        # How much the last opening has cut off, because a crash had torn it.
        self.cut_bytes = 0
        # Sparse: offset and position of a record or batch, one in every 64 KiB.
        self._index_offsets = [first_offset]
        self._index_positions = [self.start_position]
        self._is_indexed = False
        self._held: BinaryIO | None = None

    def walk(self, position: int, end: int) -> Iterator[tuple[int, list[LogRecord]]]:
        """(position behind, records) of each batch or record between two positions."""
        raise NotImplementedError

    def check_newest(self, durable_to: int = 0) -> None:
        """Read the whole file, and cut what a crash has torn. Raises LogError on damage, OSError.

        `durable_to`: a position up to which the file is known to have been durable.
        """
        size = self.path.stat().st_size
        self._walk_to(size)
        self._is_indexed = True
        if self.end_position < durable_to:
            raise LogError(
                f"record {self.end_offset} of {self.path.name} is damaged: the file was durable up to byte "
                f"{durable_to}, and can be read up to {self.end_position}. {_WAY_BACK}"
            )
        if self.end_position < size:
            left = self._read(self.end_position, min(size - self.end_position, _TORN_SIZE_BYTES_MAX + 1))
            problem = self._damage_in(left)
            if problem is None and len(left) > _TORN_SIZE_BYTES_MAX:
                problem = f"{size - self.end_position} bytes behind it cannot be read, more than one flush"
            if problem is not None:
                raise LogError(
                    f"record {self.end_offset} of {self.path.name} is damaged: {problem}. {_WAY_BACK}"
                )
            self._cut(left)

    def begin(self) -> None:
        """Nothing of it is known: whoever calls walks it from its start and remembers all of it."""
        self.end_offset, self.end_position = self.first_offset, self.start_position
        self._is_indexed = True

    def close_at(self, end_offset: int) -> None:
        """A file that is not the newest: it was durable to its end before the next one was begun."""
        self.end_offset = end_offset
        self.end_position = self.path.stat().st_size

    def start_of(self, offset: int) -> int:
        """Position from which `read_from` gives the record `offset`. Raises LogError, OSError."""
        if not self._is_indexed:
            end_offset, end_position = self.end_offset, self.end_position
            self._walk_to(end_position)
            if (self.end_offset, self.end_position) != (end_offset, end_position):
                raise LogError(f"record {self.end_offset} of {self.path.name} is damaged. {_WAY_BACK}")
            self._is_indexed = True
        return self._index_positions[bisect_right(self._index_offsets, offset) - 1]

    def read_from(self, position: int, offset: int) -> tuple[list[LogRecord], int]:
        """Some mebibyte of records from `offset` on, at least one if there is one, and the position behind.

        Raises LogError on damage, OSError.
        """
        found: list[LogRecord] = []
        start = position
        for behind, records in self.walk(position, self.end_position):
            position = behind
            if records and records[-1].offset >= offset:
                found += records[max(0, offset - records[0].offset) :]
            if found and position - start >= _READ_SIZE_BYTES:
                return found, position
        if not found and position < self.end_position:
            raise LogError(f"a record of {self.path.name} behind {offset - 1} is damaged. {_WAY_BACK}")
        return found, position

    def remember(self, records: list[LogRecord], size_bytes: int) -> None:
        """Count what is durable behind the rest."""
        if self.end_position - self._index_positions[-1] >= _INDEX_EVERY_BYTES:
            self._index_offsets.append(self.end_offset)
            self._index_positions.append(self.end_position)
        self.end_position += size_bytes
        if records:
            self.end_offset = records[-1].offset + 1
            self.last = records[-1]

    def is_full(self, size_bytes: int) -> bool:
        """Whether another file must follow; never one of the same first offset."""
        return self.end_position >= size_bytes and self.end_offset > self.first_offset

    def hold(self) -> int:
        """Keep the file open for writing until `release`; returns its descriptor. Raises OSError."""
        if self._held is None:
            self._held = self.path.open("r+b", buffering=0)
        return self._held.fileno()

    def release(self) -> None:
        """Undo `hold`."""
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor to read by. Raises OSError."""
        if self._held is not None:
            yield self._held.fileno()
        else:
            with self.path.open("rb", buffering=0) as file:
                yield file.fileno()

    def _walk_to(self, end: int) -> None:
        self.end_offset, self.end_position = self.first_offset, self.start_position
        for position, records in self.walk(self.start_position, end):
            self.remember(records, position - self.end_position)

    def _read(self, position: int, size_bytes: int) -> bytes:
        with self.opened() as descriptor:
            return os.pread(descriptor, size_bytes, position)

    def _damage_in(self, left: bytes) -> str | None:
        """Why `left`, what cannot be read at the end, is no torn flush."""
        raise NotImplementedError

    def _cut(self, torn: bytes) -> None:
        """Take it off, but keep it beside the log, for whoever wants to look at it."""
        self.cut_bytes = len(torn)
        number = 0
        while (aside := self.path.with_name(f"{self.path.name}.torn-{self.end_position}-{number}")).exists():
            number += 1
        with aside.open("wb") as file:
            file.write(torn)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o600)
        with self.path.open("r+b") as file:
            file.truncate(self.end_position)
            os.fsync(file.fileno())
        kept = sorted(self.path.parent.glob("*.torn-*"), key=lambda path: path.stat().st_mtime_ns)
        for old in kept[:-_TORN_FILES_MAX]:
            old.unlink()
        sync_folder(self.path.parent)


class BatchFile(LogFile):
    """A file of batches."""

    start_position = form.FILE_HEADER_SIZE_BYTES

    def __init__(self, path: Path, first_offset: int, salt: int) -> None:
        super().__init__(path, first_offset)
        self.salt = salt

    @classmethod
    def create(cls, folder: Path, first_offset: int) -> "BatchFile":
        """Make an empty file that is whole as soon as it has its name. Raises OSError."""
        path = folder / f"{first_offset:020d}.log"
        fresh = path.with_suffix(".fresh")
        salt = secrets.randbits(64)
        with fresh.open("wb") as file:
            file.write(form.file_header(salt, first_offset))
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o600)
        fresh.rename(path)
        sync_folder(folder)
        created = cls(path, first_offset, salt)
        created._is_indexed = True
        return created

    @classmethod
    def open(cls, path: Path) -> "BatchFile":
        """Raises LogError when the file's own header is damaged: it was durable before the file was used."""
        with path.open("rb") as file:
            parsed = form.parse_file_header(file.read(form.FILE_HEADER_SIZE_BYTES))
        if parsed is None or f"{parsed[1]:020d}" != path.stem:
            raise LogError(f"the beginning of {path.name} is damaged. {_WAY_BACK}")
        salt, first_offset = parsed
        return cls(path, first_offset, salt)

    def walk(self, position: int, end: int) -> Iterator[tuple[int, list[LogRecord]]]:
        """See LogFile."""
        base, data = position, b""
        with self.opened() as descriptor:
            while position < end:
                if position + form.BATCH_HEADER_SIZE_BYTES > base + len(data):
                    base, data = (
                        position,
                        os.pread(descriptor, min(_READ_SIZE_BYTES, end - position), position),
                    )
                header = form.parse_batch_header(data, position - base, self.salt)
                if header is None or header.body_size > form.BODY_SIZE_BYTES_MAX:
                    return
                body_position = position + form.BATCH_HEADER_SIZE_BYTES
                behind = body_position + header.body_size
                if behind > end:
                    return
                if behind > base + len(data):
                    base = position
                    data = os.pread(
                        descriptor, max(behind, min(end, position + _READ_SIZE_BYTES)) - position, base
                    )
                body = data[body_position - base : behind - base]
                records = form.records_of_body(header, body, self.salt)
                if records is None:
                    return
                yield behind, records
                position = behind

    def remember(self, records: list[LogRecord], size_bytes: int) -> None:
        """As LogFile; a record that is not the next one is no damage of a disk, but stops all the same."""
        if records and records[0].offset != self.end_offset:
            raise LogError(
                f"{self.path.name} goes on with record {records[0].offset}, "
                f"not {self.end_offset}. {_WAY_BACK}"
            )
        super().remember(records, size_bytes)

    def _damage_in(self, left: bytes) -> str | None:
        header = form.parse_batch_header(left, 0, self.salt)
        if header is not None and len(left) > form.BATCH_HEADER_SIZE_BYTES + header.body_size:
            return "there is something behind its flush"
        later = form.find_batch(left[1:], self.salt)
        return None if later is None else f"record {later.first_offset} behind it is whole"


class OldFile(LogFile):
    """A file of format 1, which is read and never written any more."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 0)

    def walk(self, position: int, end: int) -> Iterator[tuple[int, list[LogRecord]]]:
        """See LogFile. Offsets are those of a walk from the file's start, or from a place that is indexed."""
        slot = bisect_right(self._index_positions, position) - 1
        offset = self._index_offsets[slot]
        base, data = self._index_positions[slot], b""
        place = base
        window = _READ_SIZE_BYTES + form.OLD_HEADER_SIZE_BYTES + form.VALUE_SIZE_BYTES_MAX
        with self.opened() as descriptor:
            while place < end:
                if base + len(data) - place < window and base + len(data) < end:
                    base, data = place, os.pread(descriptor, min(2 * window, end - place), place)
                record = form.old_record(data, place - base, offset)
                if record is None:
                    return
                place += form.OLD_HEADER_SIZE_BYTES + len(record.value)
                offset += 1
                if place > position:
                    yield place, [record]

    def _damage_in(self, left: bytes) -> str | None:
        where = form.find_old_record(left, 0 if self.last is None else self.last.timestamp_ms)
        return None if where is None else f"a whole record stands {where} bytes behind it"


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: bytes, position: int) -> None:
    """Write all of it durably. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        position += written
        view = view[written:]
    os.fdatasync(descriptor)
