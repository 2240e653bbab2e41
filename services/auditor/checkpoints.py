"""Checkpoints in the object store: where the audit goes on after a restart. A torn one counts as none.

They have to outlive the pod: an auditor that begins at the log's start looks at old events for hours, and
withdrawals wait for it meanwhile.
"""

import asyncio
import hashlib
import logging
from typing import Final

from exchange.ports.object_keys import audit_prefix
from exchange.ports.world import ObjectStore
from services.auditor.audit.image import ImageError, state_of, to_bytes
from services.auditor.audit.state import AuditState

__all__ = ["Checkpoints"]

logger = logging.getLogger(__name__)

_NAME: Final = "audit-"
_KEPT: Final = 2
_MAGIC: Final = b"EXAUDIT1"
_HASH_SIZE_BYTES: Final = 32


class Checkpoints:
    """The newest states that added up, each with the place on the event log behind it."""

    def __init__(self, store: ObjectStore, shard: int) -> None:
        self._store = store
        self._prefix = audit_prefix(shard) + _NAME

    async def save(self, state: AuditState, next_offset: int) -> None:
        """Write the state; it is copied before the first await. Raises ObjectStoreError."""
        body = to_bytes(state, next_offset)
        data = _MAGIC + hashlib.sha256(body).digest() + body
        key = f"{self._prefix}{state.seq:020d}"
        if not await self._store.put(key, data) and await self._store.get(key) != data:
            # Of another history, before the log was restored, or torn: what is audited now is true.
            await self._store.delete(key)
            await self._store.put(key, data)
        for old in (await self._keys())[_KEPT:]:
            await self._store.delete(old)

    async def load(self) -> tuple[AuditState, int]:
        """The newest whole state and the offset behind it; an empty one when there is none.

        Raises ObjectStoreError: whoever cannot ask must not begin at the log's start.
        """
        for key in await self._keys():
            data = await self._store.get(key)
            try:
                return await asyncio.to_thread(_state_in, data)
            except ImageError as error:
                logger.warning("checkpoint %s is not used: %s", key, error)
        return AuditState(), 0

    async def drop(self) -> list[str]:
        """Forget all, for a log that goes on in another way; returns the keys. Raises ObjectStoreError."""
        keys = await self._keys()
        for key in keys:
            await self._store.delete(key)
        return keys

    async def _keys(self) -> list[str]:
        """Newest first."""
        return sorted(await self._store.keys(self._prefix), reverse=True)


def _state_in(data: bytes | None) -> tuple[AuditState, int]:
    if data is None:
        raise ImageError("gone")
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        raise ImageError("torn, or of another format")
    return state_of(body)
