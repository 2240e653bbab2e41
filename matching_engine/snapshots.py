"""Snapshots in an object store: written once under a new key, read back before they count, three kept.

The key tells the format of the state (core/state.py), so that of every format which this code can read the
newest is kept too, and a version of the code before neither meets nor removes what it cannot read.
"""

import asyncio
import hashlib
import logging
from typing import Any, Final, NamedTuple

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from exchange.ports.object_keys import SnapshotPlace, snapshot_name, snapshot_place
from exchange.ports.world import ObjectStore, ObjectStoreError
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import FIRST_RULES_OF_FORMAT, format_of, from_rows, to_rows

__all__ = [
    "Snapshot",
    "SnapshotError",
    "Snapshots",
    "capture",
    "state_bytes",
    "state_hash",
]

logger = logging.getLogger(__name__)
_KEPT: Final = 3
_MAGIC: Final = b"EXSNAP01"
_HASH_SIZE_BYTES: Final = 32
# What rows of another shape than ours run into.
_NO_STATE: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_RETRY_WAIT_S: Final = 0.2
_RETRY_WAIT_S_MAX: Final = 30.0


class SnapshotError(Exception):
    """What the store gives back under a snapshot's key is not that snapshot."""


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
    form = format_of(shard.engine.rules_version)
    place = SnapshotPlace(shard.next_command_offset, shard.engine.seq, form)
    return Snapshot(snapshot_name(place), shard.engine.seq, state_bytes(shard))


class Snapshots:
    """One shard's snapshots, below `prefix`: "" or text that ends with a slash.

    A leader and a standby may share them: equal places in the log give equal keys and equal bytes.
    """

    def __init__(self, store: ObjectStore, prefix: str = "") -> None:
        self._store = store
        self._prefix = prefix

    async def store(self, snapshot: Snapshot) -> None:
        """Write a captured state. Raises SnapshotError.

        While the store is away it tries again, for ever and with a warning: the logs hold everything, and
        trading does not depend on snapshots.
        """
        data = await asyncio.to_thread(_packed, snapshot.body)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ObjectStoreError),
            wait=wait_random_exponential(multiplier=_RETRY_WAIT_S, max=_RETRY_WAIT_S_MAX),
            before_sleep=_warn,
        ):
            with attempt:
                await self._put(self._prefix + snapshot.name, data)
        await self._drop_all_but_newest()

    async def _put(self, key: str, data: bytes) -> None:
        # A taken key is no failure by itself: another engine may have written the same state.
        await self._store.put(key, data)
        if await self._store.get(key) != data:
            raise SnapshotError(f"snapshot {key} reads back differently")

    async def load_newest(self, engine: Engine, not_ahead_of: tuple[int, int] | None = None) -> Shard | None:
        """Load the newest whole snapshot into an empty engine; None when there is none.

        `not_ahead_of`: pass over those that are ahead of logs which end there (command offset, seq).

        A torn one, or one of a format that this code cannot read, is passed over with a warning: an older
        one only takes longer. Raises ObjectStoreError, UnknownRulesError.
        """
        for place, key in await self._known():
            if not_ahead_of is not None and _is_ahead(place, *not_ahead_of):
                continue
            rows = await self._rows_of(key)
            if rows is None:
                continue
            try:
                return from_rows(rows, engine)
            except _NO_STATE as error:
                logger.warning("snapshot %s holds no state (%r); taking the one before", key, error)
                engine = Engine(engine.book_factory, engine.limits)
        return None

    async def drop_ahead_of(self, commands_end: int, seq: int) -> list[str]:
        """Forget snapshots that are ahead of logs which end there; returns their keys."""
        ahead = [key for place, key in await self._known() if _is_ahead(place, commands_end, seq)]
        for key in ahead:
            await self._store.delete(key)
        return ahead

    async def _rows_of(self, key: str) -> list[Any] | None:
        """The state in one snapshot, None when it cannot be used."""
        data = await self._store.get(key)
        rows = None if data is None else await asyncio.to_thread(_unpacked, data)
        if rows is None:
            logger.warning("snapshot %s is torn; taking the one before", key)
        elif rows[0] not in FIRST_RULES_OF_FORMAT:
            logger.warning("snapshot %s has the unknown format %s; taking the one before", key, rows[0])
            return None
        return rows

    async def _known(self) -> list[tuple[SnapshotPlace, str]]:
        """Every snapshot's place and key, those that are furthest on the logs first."""
        keys = await self._store.keys(f"{self._prefix}snapshot")
        return sorted(
            ((place, key) for key in keys if (place := snapshot_place(key)) is not None), reverse=True
        )

    async def _drop_all_but_newest(self) -> None:
        try:
            known = await self._known()
            kept = {key for _, key in known[:_KEPT]}
            for form in FIRST_RULES_OF_FORMAT:
                kept.update([key for place, key in known if place.form == form][:1])
            for _, key in known:
                if key not in kept:
                    await self._store.delete(key)
        except ObjectStoreError as error:
            # The new one counts all the same; the next one tries again.
            logger.warning("old snapshots cannot be removed: %s", error)


def _is_ahead(place: SnapshotPlace, commands_end: int, seq: int) -> bool:
    return place.command_offset > commands_end or place.seq > seq


def _warn(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("snapshot: attempt %d failed: %s", state.attempt_number, error)


def _packed(body: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> list[Any] | None:
    """The rows of a whole snapshot, None of a torn one."""
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        return None
    try:
        rows: list[Any] = msgspec.msgpack.decode(body, type=list[Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows or None
