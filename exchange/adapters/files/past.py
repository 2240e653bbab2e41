"""An embedded log that begins with records of the past: written once, before anybody opens it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from exchange.adapters.files.log_files import BatchFile, sync_folder, write_at
from exchange.adapters.files.log_format import batch
from exchange.ports.world import LogError, LogRecord, check_record

__all__ = ["write_past"]

_RECORDS_PER_BATCH: Final = 200


def write_past(folder: Path, records: Iterable[tuple[int, bytes]]) -> int:
    """Make the log at `folder` of (time_ms, value), oldest first; returns how many there are.

    In a folder beside it that is renamed at the end, so that a killed run leaves no half. Raises LogError
    when there is a log already, and for times that go back; OSError.
    """
    if folder.exists():
        raise LogError(f"{folder} is there already")
    draft = folder.with_name(f"{folder.name}.past")
    if draft.exists():
        for left in draft.iterdir():
            left.unlink()
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = BatchFile.create(draft, 0)
    descriptor = file.hold()
    waiting: list[LogRecord] = []
    newest_ms, count = 0, 0
    try:
        for time_ms, value in records:
            if time_ms < newest_ms:
                raise LogError(f"record {count} of the past is older than the one before it")
            check_record(value)
            waiting.append(LogRecord(count, time_ms, value))
            newest_ms, count = time_ms, count + 1
            if len(waiting) == _RECORDS_PER_BATCH:
                _write(file, descriptor, waiting)
                waiting = []
        if waiting:
            _write(file, descriptor, waiting)
        # Of no records: all before it is durable.
        _write(file, descriptor, [])
    finally:
        file.release()
    sync_folder(draft)
    draft.rename(folder)
    sync_folder(folder.parent)
    return count


def _write(file: BatchFile, descriptor: int, records: list[LogRecord]) -> None:
    data = batch(file.salt, file.end_offset, records)
    write_at(descriptor, data, file.end_position)
    file.remember(records, len(data))
