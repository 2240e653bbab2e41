"""Snapshots over the simulated object store, with the interface of `matching_engine.snapshots`."""

import hashlib

import msgspec

from exchange.ports import ObjectStoreError
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows
from matching_engine.snapshots import Snapshot
from tests.simulation.adapters.objects import ObjectStorePort

__all__ = ["SimulatedSnapshots", "whole_body"]

_KEPT = 3
_HASH_SIZE_BYTES = 32


def whole_body(data: bytes | None) -> bytes | None:
    """The state's bytes of a whole snapshot, None of a torn one."""
    if data is None:
        return None
    body = data[_HASH_SIZE_BYTES:]
    return body if hashlib.sha256(body).digest() == data[:_HASH_SIZE_BYTES] else None


class SimulatedSnapshots:
    """Written once under a new key, read back before they count, three kept."""

    def __init__(self, objects: ObjectStorePort) -> None:
        self._objects = objects

    async def store(self, snapshot: Snapshot) -> None:
        """Write a captured state. Raises ObjectStoreError."""
        await self._objects.put(snapshot.name, hashlib.sha256(snapshot.body).digest() + snapshot.body)
        if whole_body(await self._objects.get(snapshot.name)) != snapshot.body:
            raise ObjectStoreError(f"{snapshot.name} reads back differently")
        for old in (await self._objects.keys("snapshot-"))[:-_KEPT]:
            await self._objects.delete(old)

    async def load_newest(self, engine: Engine) -> Shard | None:
        """The newest whole one."""
        for key in reversed(await self._objects.keys("snapshot-")):
            body = whole_body(await self._objects.get(key))
            if body is not None:
                return from_rows(msgspec.msgpack.decode(body), engine)
        return None
