"""Snapshots in a folder: written once under a new name, read back before they count, three kept."""

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from exchange.crash_points import crash_point
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows

__all__ = ["FolderSnapshots", "Snapshot", "capture", "state_bytes", "state_hash"]

logger = logging.getLogger(__name__)
_KEPT = 3
_MAGIC = b"EXSNAP01"
_HASH_SIZE_BYTES = 32


def state_bytes(shard: Shard) -> bytes:
    """The state in canonical bytes: equal states give equal bytes."""
    return msgspec.msgpack.encode(to_rows(shard))


def state_hash(shard: Shard) -> str:
    """SHA-256 of the canonical bytes, as hex."""
    return hashlib.sha256(state_bytes(shard)).hexdigest()


class Snapshot(NamedTuple):
    """A state at one moment, as canonical bytes, not written yet."""

    name: str
    seq: int
    body: bytes


def capture(shard: Shard) -> Snapshot:
    """Copy the present state."""
    name = f"snapshot-{shard.next_command_offset:020d}-{shard.engine.seq:020d}"
    return Snapshot(name, shard.engine.seq, state_bytes(shard))


class FolderSnapshots:
    """A snapshot store in a folder of the file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def store(self, snapshot: Snapshot) -> None:
        """Write a captured state. Raises OSError."""
        await asyncio.to_thread(self._write, snapshot.name, snapshot.body)

    async def load_newest(self, engine: Engine) -> Shard | None:
        """Load the newest whole snapshot into an empty engine; None when there is none."""
        bodies = await asyncio.to_thread(self._whole_bodies)
        return from_rows(msgspec.msgpack.decode(bodies[0]), engine) if bodies else None

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        data = _MAGIC + hashlib.sha256(body).digest() + body
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            crash_point("snapshot.half-written")
            file.write(data[len(data) // 2 :])
            file.flush()
            os.fsync(file.fileno())
        if _body_of(partial) != body:
            raise OSError(f"snapshot {name} reads back differently")
        crash_point("snapshot.before-rename")
        partial.rename(path)
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        for old in self._paths()[_KEPT:]:
            old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Snapshots, newest first."""
        found = [p for p in self._folder.glob("snapshot-*") if p.suffix != ".partial"]
        return sorted(found, reverse=True)

    def _whole_bodies(self) -> list[bytes]:
        for path in self._paths():
            body = _body_of(path)
            if body is not None:
                return [body]
            logger.warning("snapshot %s is torn; taking the one before", path.name)
        return []


def _body_of(path: Path) -> bytes | None:
    """The body of a whole snapshot, None of a torn one."""
    data = path.read_bytes()
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        return None
    return body
