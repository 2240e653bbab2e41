"""Objects in a folder of the file system: one file each, durable before `put` returns, never replaced."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from exchange.ports.object_keys import check_key
from exchange.ports.world import ObjectStoreError
from exchange.process.crash_points import crash_point

__all__ = ["FolderStore"]

_DEADLINE_S: Final = 60.0
_PARTIAL: Final = ".partial"
# What a crash left half-written; nobody writes one object for this long.
_PARTIAL_AGE_S_MAX: Final = 3_600.0
KEYS_MAX: Final = 1_000_000

_T = TypeVar("_T")


class FolderStore:
    """An `ObjectStore` in `folder`, which is made on first use. The slashes of a key are subfolders."""

    def __init__(self, folder: Path, deadline_s: float = _DEADLINE_S) -> None:
        self._folder = folder
        self._deadline_s = deadline_s
        self._swept: set[Path] = set()

    async def put(self, key: str, body: bytes) -> bool:
        """Write aside, fsync, then link under the key: a link fails when the name is taken."""
        path = self._path(key)
        return await self._in_thread(lambda: self._put(path, body))

    async def get(self, key: str) -> bytes | None:
        """Read one file."""
        path = self._path(key)

        def read() -> bytes | None:
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

        return await self._in_thread(read)

    async def keys(self, prefix: str) -> list[str]:
        """Walk the deepest folder that the prefix names. Raises ObjectStoreError beyond KEYS_MAX."""
        return await self._in_thread(lambda: self._keys(prefix))

    async def delete(self, key: str) -> None:
        """Remove one file; its folder stays."""
        path = self._path(key)

        def remove() -> None:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)

        await self._in_thread(remove)

    async def close(self) -> None:
        """Nothing is held open."""

    def _path(self, key: str) -> Path:
        check_key(key)
        if key.endswith(_PARTIAL):
            raise ObjectStoreError(f"key {key!r} ends as only half-written files do")
        return self._folder / key

    def _put(self, path: Path, body: bytes) -> bool:
        _make_folder(path.parent)
        self._sweep(path.parent)
        partial = path.parent / f"{path.name}.{secrets.token_hex(8)}{_PARTIAL}"
        try:
            with partial.open("xb") as file:
                file.write(body[: len(body) // 2])
                file.flush()
                crash_point("object.half-written")
                file.write(body[len(body) // 2 :])
                file.flush()
                os.fsync(file.fileno())
            crash_point("object.before-link")
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)
        return True

    def _sweep(self, folder: Path) -> None:
        """Once in each folder: drop what earlier processes left half-written."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        for partial in folder.glob(f"*{_PARTIAL}"):
            try:
                if time.time() - partial.stat().st_mtime > _PARTIAL_AGE_S_MAX:
                    partial.unlink()
            except FileNotFoundError:
                continue

    def _keys(self, prefix: str) -> list[str]:
        start = self._folder / prefix.rpartition("/")[0]
        found: list[str] = []
        for folder, _, names in os.walk(start, onerror=_unless_missing):
            parent = Path(folder).relative_to(self._folder)
            for name in names:
                key = (parent / name).as_posix()
                if key.startswith(prefix) and not name.endswith(_PARTIAL):
                    found.append(key)
            if len(found) > KEYS_MAX:
                raise ObjectStoreError(f"more than {KEYS_MAX} keys begin with {prefix!r}")
        return sorted(found)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.to_thread(work)
        except (OSError, TimeoutError) as error:
            raise ObjectStoreError(f"{self._folder}: {error!r}") from error


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _make_folder(folder: Path) -> None:
    """Make the folder and what is above it, each name durable in its parent."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
