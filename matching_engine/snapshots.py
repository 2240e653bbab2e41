"""Snapshots in an object store: written once under a new key, read back before they count, three kept."""

import asyncio
import hashlib
import logging
from typing import Any, Final, NamedTuple

import msgspec

from exchange.ports import ObjectStore, ObjectStoreError
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import FORMAT, from_rows, to_rows

__all__ = ["Snapshot", "Snapshots", "capture", "state_bytes", "state_hash"]

logger = logging.getLogger(__name__)
_KEPT: Final = 3
_NAME: Final = "snapshot-"
_MAGIC: Final = b"EXSNAP01"
_HASH_SIZE_BYTES: Final = 32


def state_bytes(shard: Shard) -> bytes:
    """The state in canonical bytes: equal states give equal bytes."""
    return msgspec.msgpack.encode(to_rows(shard))


def state_hash(shard: Shard) -> str:
    """SHA-256 of the canonical bytes, as hex."""
    return hashlib.sha256(state_bytes(shard)).hexdigest()


class Snapshot(NamedTuple):
    """A state at one moment, copied into rows, not written yet."""

    next_command_offset: int
    seq: int
    rows: list[Any]


def capture(shard: Shard) -> Snapshot:
    """Copy the present state."""
    return Snapshot(shard.next_command_offset, shard.engine.seq, to_rows(shard))


class Snapshots:
    """One shard's snapshots, below `prefix`: "" or text that ends with a slash.

    A leader and a standby may share them: equal places in the log give equal keys and equal bytes.
    """

    def __init__(self, store: ObjectStore, prefix: str = "") -> None:
        self._store = store
        self._prefix = prefix + _NAME

    async def store(self, snapshot: Snapshot) -> None:
        """Keep a captured state. Raises ObjectStoreError."""
        key = f"{self._prefix}{snapshot.next_command_offset:020d}-{snapshot.seq:020d}"
        data = await asyncio.to_thread(_packed, snapshot.rows)
        # A taken key is no failure by itself: the same state may have been written by another engine.
        await self._store.put(key, data)
        if await self._store.get(key) != data:
            raise ObjectStoreError(f"snapshot {key} reads back differently")
        await self._drop_all_but_newest()

    async def load_newest(self, engine: Engine) -> Shard | None:
        """Load the newest whole snapshot into an empty engine; None when there is none.

        A torn one, or one of another version's format, is passed over with a warning: the logs hold
        everything, so an older one only takes longer. Raises ObjectStoreError, UnknownRulesError.
        """
        for key in await self._keys():
            rows = await self._rows_of(key)
            if rows is not None:
                return from_rows(rows, engine)
        return None

    async def drop_ahead_of(self, commands_end: int, seq: int) -> list[str]:
        """Forget snapshots that are ahead of logs which end there; returns their keys."""
        ahead = []
        for key in await self._keys():
            offset_text, _, seq_text = key.removeprefix(self._prefix).partition("-")
            if int(offset_text) > commands_end or int(seq_text) > seq:
                ahead.append(key)
        for key in ahead:
            await self._store.delete(key)
        return ahead

    async def _rows_of(self, key: str) -> list[Any] | None:
        """The state in one snapshot, None when it cannot be used."""
        data = await self._store.get(key)
        rows = None if data is None else await asyncio.to_thread(_unpacked, data)
        if rows is None:
            logger.warning("snapshot %s is torn; taking the one before", key)
        elif rows[0] != FORMAT:
            logger.warning("snapshot %s has format %s, not %d; taking the one before", key, rows[0], FORMAT)
            return None
        return rows

    async def _keys(self) -> list[str]:
        """Newest first."""
        return sorted(await self._store.keys(self._prefix), reverse=True)

    async def _drop_all_but_newest(self) -> None:
        try:
            for key in (await self._keys())[_KEPT:]:
                await self._store.delete(key)
        except ObjectStoreError as error:
            # The new one counts all the same; the next one tries again.
            logger.warning("old snapshots cannot be removed: %s", error)


def _packed(rows: list[Any]) -> bytes:
    body = msgspec.msgpack.encode(rows)
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> list[Any] | None:
    """The rows of a whole snapshot, None of a torn one."""
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        return None
    rows: list[Any] = msgspec.msgpack.decode(body)
    return rows
