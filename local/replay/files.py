"""Recorded markets from files (.csv, or .zip with one in it), merged by time. Read line by line."""

import heapq
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from local.replay.messages import Message, is_message_file, market_of_messages, messages_of
from local.replay.prints import FileError, Print, kind_of, prints_of, symbol_of

__all__ = ["FILES_MAX", "Recorded", "check_beginnings", "merged", "symbols"]

# A trade, or what happened to an order.
Recorded: TypeAlias = Print | Message

FILES_MAX: Final = 2_000


def symbols(files: Sequence[Path]) -> set[str]:
    """The markets that are recorded in the files. Raises FileError."""
    if len(files) > FILES_MAX:
        raise FileError(f"{len(files)} files: at most {FILES_MAX}")
    for file in files:
        if not file.exists():
            raise FileError(f"{file}: there is no such file")
        if file.suffix not in (".csv", ".zip") or not file.is_file():
            raise FileError(f"{file}: no file of the kind .csv or .zip")
        if not is_message_file(file.stem):
            kind_of(file.stem)
    return {_market_of(file.stem) for file in files}


def _market_of(name: str) -> str:
    return market_of_messages(name) if is_message_file(name) else symbol_of(name)


def check_beginnings(files: Sequence[Path]) -> None:
    """Read the first print of each file. Raises FileError, OSError: before anything is started for them."""
    # A file alone may be empty: a candle without volume is no trade.
    if all([next(_read(file, 0), None) is None for file in files]):
        raise FileError(f"nothing is recorded in {', '.join(str(file) for file in files[:5])}")


def merged(files: Sequence[Path], seed: int) -> Iterator[Recorded]:
    """All that is recorded in all files by time, then by file. Raises FileError, OSError."""
    yield from heapq.merge(*(_read(file, seed) for file in files), key=_time_ms)


def _time_ms(one: Recorded) -> int:
    return one.time_ms


def _recorded(name: str, lines: Iterable[str], seed: int) -> Iterator[Recorded]:
    return messages_of(name, lines) if is_message_file(name) else prints_of(name, lines, seed)


def _read(file: Path, seed: int) -> Iterator[Recorded]:
    if file.suffix == ".csv":
        with file.open(encoding="ascii", errors="replace") as lines:
            yield from _recorded(file.stem, lines, seed)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            (name,) = archive.namelist()
            with archive.open(name) as member:
                lines = io.TextIOWrapper(member, encoding="ascii", errors="replace")
                yield from _recorded(file.stem, lines, seed)
    except (zipfile.BadZipFile, ValueError) as error:
        raise FileError(f"{file}: not a zip of one file: {error}") from None
