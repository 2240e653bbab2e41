"""The table of anomalies, as the watch writes it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from exchange.contracts.limits import ANOMALIES_KEPT_MAX, ANOMALIES_OPEN_MAX
from exchange.process.components import Resources
from exchange.process.connections import acquire, transaction
from services.anomalies.watch import Alarm, Change

if TYPE_CHECKING:
    import asyncpg

__all__ = ["AnomalyStore"]

_OPEN: Final = """
SELECT kind, market_id, user_id, raised_ms, raised_seq, value, limit_value FROM anomalies
WHERE shard = $1 AND cleared_ms IS NULL ORDER BY anomaly_id LIMIT $2
"""
# Two watches may find the same while one takes over from the other.
_RAISE: Final = """
INSERT INTO anomalies
    (shard, kind, market_id, user_id, raised_ms, raised_seq, value, limit_value, asks_cancel_only)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (shard, kind, market_id, user_id) WHERE cleared_ms IS NULL DO NOTHING
"""
_CLEAR: Final = """
UPDATE anomalies SET cleared_ms = $5
WHERE shard = $1 AND kind = $2 AND market_id = $3 AND user_id = $4 AND cleared_ms IS NULL
"""
_FORGET: Final = """
DELETE FROM anomalies WHERE shard = $1 AND cleared_ms IS NOT NULL AND anomaly_id < (
    SELECT anomaly_id FROM anomalies WHERE shard = $1 AND cleared_ms IS NOT NULL
    ORDER BY anomaly_id DESC OFFSET $2 LIMIT 1)
"""


class AnomalyStore:
    """Reads and writes it. Every call raises what the database raises; a repeat does no harm."""

    def __init__(self, resources: Resources) -> None:
        self._database: asyncpg.Pool[asyncpg.Record] = resources.database
        self._shard = resources.settings.shard
        self._deadline_ms = resources.settings.database_deadline_ms

    async def open_alarms(self) -> list[Alarm]:
        """Those that an earlier life has raised and not cleared."""
        async with acquire(self._database, self._deadline_ms) as connection:
            rows = await connection.fetch(_OPEN, self._shard, ANOMALIES_OPEN_MAX)
        return [Alarm(*row) for row in rows]

    async def write(self, changes: Iterable[tuple[Change, bool]]) -> None:
        """Each change in order, with whether its alarm asks for cancel-only; all of them or none."""
        async with transaction(self._database, self._deadline_ms) as connection:
            for (alarm, cleared_ms), asks in changes:
                if cleared_ms is None:
                    await connection.execute(_RAISE, self._shard, *alarm, asks)
                else:
                    key = alarm.kind, alarm.market_id, alarm.user_id
                    await connection.execute(_CLEAR, self._shard, *key, cleared_ms)
            await connection.execute(_FORGET, self._shard, ANOMALIES_KEPT_MAX - 1)
