"""The disk below a data folder: enough of it before the start, and one sentence when it is full."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from local.servers import ServerError

__all__ = ["full_disk", "is_full_disk", "require_space"]

_MEGABYTE: Final = 1_000_000
# What the servers write before the first order comes: measured 40 and 190 MB, and something to live on.
_FIRST_START_MB: Final = {"embedded": 150, "stack": 400}
# PostgreSQL alone takes a new segment of its log, 16 MB, to recover; Kafka as much for its own.
_START_MB: Final = {"embedded": 64, "stack": 128}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# What servers say, each in its own words, in the end of a log that a ServerError shows.
_FULL_TEXTS: Final = ("No space left on device", "Disk quota exceeded", "Check free disk space")


def require_space(state: Path, mode: str) -> None:
    """Refuse to start on a disk that would be full at once. Raises ServerError."""
    # The first server that is started makes it.
    first = not (state / "pids").exists()
    needed_mb = (_FIRST_START_MB if first else _START_MB)[mode]
    if _free_mb(state) < needed_mb:
        raise ServerError(_sentence(state, needed_mb))


def is_full_disk(error: BaseException) -> bool:
    """Whether `error`, or what it came from, is a full disk."""
    return any(_says_full(one) for one in _chain(error))


def full_disk(error: BaseException, data_dir: Path) -> str | None:
    """One sentence if `error`, or what it came from, is a full disk below `data_dir`; else None."""
    if not is_full_disk(error):
        return None
    needed_mb = max(_START_MB.values())
    return _sentence(data_dir, needed_mb)


def _sentence(folder: Path, needed_mb: int) -> str:
    free_mb = _free_mb(folder)
    return (
        f"the disk is full: {free_mb:.0f} MB are free for {folder}, {needed_mb} MB are needed. Free "
        f"{max(1, round(needed_mb - free_mb))} MB there, or choose a folder on another disk (DATA_DIR=), and "
        "start again; nothing that was acknowledged is lost"
    )


def _free_mb(folder: Path) -> float:
    return shutil.disk_usage(folder).free / _MEGABYTE


def _says_full(error: BaseException) -> bool:
    # PostgreSQL's code for it: asyncpg's errors carry it as an attribute.
    if getattr(error, "sqlstate", None) == "53100":
        return True
    return getattr(error, "errno", None) in _FULL or any(text in str(error) for text in _FULL_TEXTS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, those that it groups, and those that it came from."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _chain(one)
        error = error.__cause__ or error.__context__
