"""Whether money may leave: the auditor's word, as it stands in Redis.

The red key exists while the books do not add up; the heartbeat's age tells whether anybody is looking at
the books at all (exchange/contracts/audit_keys.py).
"""

import asyncio
import time
from typing import Final

import msgspec
import redis.asyncio

from exchange.contracts.audit_keys import HEARTBEAT_AGE_S_MAX, HEARTBEAT_KEY, RED_KEY
from exchange.process.cancellation import raise_if_cancelled
from exchange.process.connections import CACHE_ERRORS

__all__ = ["WithdrawalStop"]


class _Heartbeat(msgspec.Struct):
    time_ms: int
    seq: int


_decoder: Final = msgspec.json.Decoder(_Heartbeat)


class WithdrawalStop:
    """Asks for every withdrawal anew. What cannot be read stops withdrawals too."""

    def __init__(self, cache: "redis.asyncio.Redis", *, auditor_required: bool, deadline_ms: int) -> None:
        self._cache = cache
        self._auditor_required = auditor_required
        self._deadline_s = deadline_ms / 1000

    async def reason(self) -> str | None:
        """Why nothing may leave now, None when it may."""
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    red, heartbeat = await self._cache.mget(RED_KEY, HEARTBEAT_KEY)
                finally:
                    raise_if_cancelled()
        except CACHE_ERRORS:
            return "the auditor's word cannot be read"
        if red is not None:
            return "the auditor found a fault in the books"
        return self._reason_of(heartbeat) if self._auditor_required else None

    def _reason_of(self, heartbeat: bytes | str | None) -> str | None:
        if heartbeat is None:
            return "the auditor is away"
        try:
            age_ms = time.time_ns() // 1_000_000 - _decoder.decode(heartbeat).time_ms
        except msgspec.DecodeError:
            return "the auditor's heartbeat cannot be read"
        # A time ahead of ours by as much is no better: it would never grow old.
        return (
            None if abs(age_ms) <= HEARTBEAT_AGE_S_MAX * 1000 else "the auditor has been silent for too long"
        )
