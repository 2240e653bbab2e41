"""Anomalies in lines for people: those that are open, then the newest that are over."""

from typing import TYPE_CHECKING, Any, Final

from exchange.contracts.anomaly_kinds import KINDS
from exchange.contracts.limits import ANOMALIES_KEPT_MAX, ANOMALIES_OPEN_MAX
from services.operator.accounts import utc

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["list_anomalies", "name_of"]

_LISTED: Final = """
SELECT a.anomaly_id, a.kind, a.raised_ms, a.value, a.limit_value, a.cleared_ms, a.acted_ms, a.outcome,
       CASE WHEN a.market_id <> 0 THEN coalesce(m.symbol, 'market ' || a.market_id)
            WHEN a.user_id <> 0 THEN 'account ' || a.user_id ELSE 'the exchange' END AS whose
FROM anomalies a LEFT JOIN markets m USING (market_id)
WHERE a.shard = $1 ORDER BY a.cleared_ms IS NOT NULL, a.anomaly_id DESC LIMIT $2
"""


async def list_anomalies(connection: "PoolConnectionProxy[Any]", shard: int) -> list[str]:
    """Open ones first; each with what was counted, what is usual, and what was done because of it."""
    rows = await connection.fetch(_LISTED, shard, ANOMALIES_OPEN_MAX + ANOMALIES_KEPT_MAX)
    lines = []
    for row in rows:
        ended = "OPEN" if row["cleared_ms"] is None else f"over {utc(row['cleared_ms'])}"
        # Who took it up has died, or is at it: what holds, the list of markets says.
        pending = "" if row["acted_ms"] is None else "cancel-only was taken up, and not concluded"
        done = f"; {row['outcome'] or pending}".removesuffix("; ")
        lines.append(f"{name_of(row)}, since {utc(row['raised_ms'])}, {ended}{done}")
    return lines or ["nothing was unusual"]


def name_of(row: "asyncpg.Record") -> str:
    """An anomaly in words: its number, kind, whose it is, what was counted and what would have been usual."""
    unit = KINDS[row["kind"]].unit if row["kind"] in KINDS else ""
    return (
        f"{row['anomaly_id']}: {row['kind']} of {row['whose']}: {row['value']} {unit}, "
        f"usual at most {row['limit_value']}"
    )
