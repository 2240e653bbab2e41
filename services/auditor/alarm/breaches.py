"""What is known of breaches beyond one life of the auditor: the table, and the key that everybody sees."""

from typing import TYPE_CHECKING, Final

import msgspec

from exchange.contracts.audit_keys import RED_KEY
from exchange.process.components import Resources
from exchange.process.connections import acquire
from services.auditor.audit.state import Breach

if TYPE_CHECKING:
    import asyncpg

__all__ = ["DETAIL_LENGTH_MAX", "BreachStore", "KnownBreach"]

DETAIL_LENGTH_MAX: Final = 500

_OPEN: Final = """
SELECT seq, invariant, detail, halted_ms FROM audit_breaches
WHERE shard = $1 AND cleared_ms IS NULL ORDER BY breach_id LIMIT 1
"""
_IS_CLEARED: Final = """
SELECT cleared_ms IS NOT NULL FROM audit_breaches
WHERE shard = $1 AND seq = $2 AND invariant = $3 AND detail = $4
"""
# One that was cleared and is found again has not been repaired.
_RECORD: Final = """
INSERT INTO audit_breaches (shard, seq, invariant, detail, found_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (shard, seq, invariant, detail) DO UPDATE
SET found_ms = excluded.found_ms, halted_ms = NULL, cleared_ms = NULL
WHERE audit_breaches.cleared_ms IS NOT NULL
"""
_HALTED: Final = """
UPDATE audit_breaches SET halted_ms = $5
WHERE shard = $1 AND seq = $2 AND invariant = $3 AND detail = $4 AND halted_ms IS NULL
"""


class KnownBreach(msgspec.Struct, frozen=True):
    """A breach of an earlier life. `is_halted`: the engine confirmed the halt then."""

    breach: Breach
    is_halted: bool


class _Red(msgspec.Struct):
    seq: int
    invariant: str
    detail: str


class BreachStore:
    """Reads and writes both. Every call raises what its server raises; a repeat does no harm."""

    def __init__(self, resources: Resources) -> None:
        self._database: asyncpg.Pool[asyncpg.Record] = resources.database
        self._cache = resources.cache
        self._shard = resources.settings.shard
        self._deadline_ms = resources.settings.database_deadline_ms

    async def open_breach(self) -> KnownBreach | None:
        """The oldest breach in the table that nobody has cleared."""
        async with acquire(self._database, self._deadline_ms) as connection:
            row = await connection.fetchrow(_OPEN, self._shard)
        if row is None:
            return None
        breach = Breach(row["seq"], row["invariant"], row["detail"])
        return KnownBreach(breach, row["halted_ms"] is not None)

    async def red_breach(self) -> Breach | None:
        """What the key says."""
        value = await self._cache.get(RED_KEY)
        if value is None:
            return None
        try:
            red = msgspec.json.decode(value, type=_Red)
        except msgspec.DecodeError:
            return Breach(0, "unknown", f"{RED_KEY} holds {value!r}"[:DETAIL_LENGTH_MAX])
        return Breach(red.seq, red.invariant, red.detail)

    async def is_cleared(self, breach: Breach) -> bool:
        """Whether an operator has cleared exactly this one."""
        async with acquire(self._database, self._deadline_ms) as connection:
            return bool(await connection.fetchval(_IS_CLEARED, self._shard, *breach))

    async def record(self, breach: Breach, now_ms: int) -> None:
        """Make it a row."""
        async with acquire(self._database, self._deadline_ms) as connection:
            await connection.execute(_RECORD, self._shard, *breach, now_ms)

    async def note_halted(self, breach: Breach, now_ms: int) -> None:
        """The engine has confirmed the halt."""
        async with acquire(self._database, self._deadline_ms) as connection:
            await connection.execute(_HALTED, self._shard, *breach, now_ms)

    async def set_red(self, breach: Breach) -> None:
        """Set the key, for ever."""
        await self._cache.set(RED_KEY, msgspec.json.encode(_Red(*breach)))

    async def clear_red(self) -> None:
        """Remove the key."""
        await self._cache.delete(RED_KEY)
