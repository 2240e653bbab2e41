"""A lease in a file, for engines on one machine: compare-and-set under a file lock."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from exchange.ports.world import LeaseError, LeaseRecord

__all__ = ["FileLease"]

_LOCK_DEADLINE_S: Final = 1.0
_LOCK_POLL_S: Final = 0.01


class _Stored(msgspec.Struct):
    holder: str
    duration_ms: int
    version: int


class FileLease:
    """The record stands in `path`, the lock beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> LeaseRecord | None:
        """Return the record, None when there never was one. Raises LeaseError."""
        stored = self._load()
        return None if stored is None else _record(stored)

    async def write(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        """Replace `expected`; None when somebody else was quicker. Raises LeaseError."""
        give_up_s = asyncio.get_running_loop().time() + _LOCK_DEADLINE_S
        while True:
            with self._locked() as is_mine:
                if is_mine:
                    return self._replace(holder, duration_ms, expected)
            if asyncio.get_running_loop().time() >= give_up_s:
                raise LeaseError(f"{self._path} is locked by another process")
            await asyncio.sleep(_LOCK_POLL_S)

    def _replace(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        stored = self._load()
        if (None if stored is None else _record(stored)) != expected:
            return None
        fresh = _Stored(holder, duration_ms, 1 if stored is None else stored.version + 1)
        partial = self._path.with_suffix(".partial")
        try:
            partial.write_bytes(msgspec.json.encode(fresh))
            os.replace(partial, self._path)
        except OSError as error:
            raise LeaseError(f"{self._path}: {error}") from error
        return _record(fresh)

    def _load(self) -> _Stored | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise LeaseError(f"{self._path}: {error}") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Whether the lock was free; it ends with the process that holds it, but not with its pause."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LeaseError(f"{self._path}: {error}") from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)


def _record(stored: _Stored) -> LeaseRecord:
    return LeaseRecord(stored.holder, stored.duration_ms, str(stored.version))
