"""Reading an embedded log from another process, while its owner writes it: nothing is locked or changed."""

from collections.abc import Iterator
from pathlib import Path

from exchange.adapters.files.log_files import BatchFile, LogFile, OldFile
from exchange.ports.world import LogError, LogRecord

__all__ = ["records_in"]


def records_in(path: Path, first: int, end: int) -> Iterator[LogRecord]:
    """Every record with first <= offset < end, which its owner has said to be durable. Blocks.

    Raises LogError when one is not there, or not whole; OSError.
    """
    files: list[LogFile] = [OldFile(old) for old in path.glob("*.log1")]
    files += [BatchFile.open(file) for file in sorted(path.glob("*.log"))]
    next_offset = first
    for place, file in enumerate(files):
        following = files[place + 1].first_offset if place + 1 < len(files) else end
        if following <= next_offset or file.first_offset >= end:
            continue
        for _, records in file.walk(file.start_position, file.path.stat().st_size):
            for record in records:
                if record.offset == next_offset < end:
                    next_offset += 1
                    yield record
            if next_offset >= end:
                return
    if next_offset < end:
        raise LogError(f"{path.name}: record {next_offset} of {end} is not there, or not whole")
