"""Throw the projection away, so that a replay of the event log makes it again; and compare two of them.

Users and API keys are no projection and stay. The sequences stay too: their numbers were given out.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.projections.ledger_store import AnyConnection

__all__ = ["PROJECTED_TABLES", "clear_projection", "fingerprints"]

# Table -> its primary key, for a stable order.
PROJECTED_TABLES: Final = {
    "positions": "shard",
    "assets": "asset_id",
    "markets": "market_id",
    "balances": "user_id, asset_id",
    "ledger_entries": "entry_id",
    "orders": "order_id",
    "trades": "market_id, trade_id",
    "deposits": "deposit_id",
    "withdrawals": "withdrawal_id",
}
_DEADLINE_S: Final = 120.0


async def clear_projection(connection: "AnyConnection") -> None:
    """Empty the projected tables. A ledger that still runs finds itself fenced and stops."""
    await connection.execute(f"TRUNCATE {', '.join(PROJECTED_TABLES)}", timeout=_DEADLINE_S)


async def fingerprints(connection: "AnyConnection") -> dict[str, str]:
    """For each projected table "<rows> <hash>", the hash over all rows in order of the primary key."""
    found: dict[str, str] = {}
    for table, key in PROJECTED_TABLES.items():
        row = await connection.fetchrow(
            f"SELECT count(*) AS rows, "
            f"encode(sha256(coalesce(string_agg(t::text, E'\\n' ORDER BY {key}), '')::bytea), 'hex') AS hash "
            f"FROM {table} AS t",
            timeout=_DEADLINE_S,
        )
        assert row is not None
        found[table] = f"{row['rows']} {row['hash']}"
    return found
