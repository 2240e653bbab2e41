"""Reconciliation: the ledger's tables against each other, by queries that find only what is wrong.

`python -m services.projections.ledger.reconcile` prints each breach and exits 1 when there is one. It reads
one snapshot, so it may run while the exchange trades. Invariants as numbered in the design.
"""

import asyncio
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from exchange.process.config import Settings, SettingsError
from services.projections.ledger.candle_checks import CANDLE_CHECKS

if TYPE_CHECKING:
    from services.projections.ledger.store import AnyConnection

__all__ = ["Breach", "reconcile"]

BREACHES_PER_CHECK_MAX: Final = 20
STATEMENT_DEADLINE_S: Final = 300.0


class Breach(NamedTuple):
    """One thing that does not add up: which check, where, and the figures."""

    check: str
    subject: str
    detail: str


# Name of the check -> a query whose rows (subject, detail) are breaches.
CHECKS: Final = {
    "I1 entries of an asset sum to zero": """
        SELECT 'asset ' || asset_id AS subject, 'sum ' || sum(amount_atoms) AS detail
        FROM ledger_entries GROUP BY asset_id HAVING sum(amount_atoms) <> 0 ORDER BY asset_id
    """,
    "I4 entries of an event sum to zero": """
        SELECT 'seq ' || seq || ' asset ' || asset_id AS subject, 'sum ' || sum(amount_atoms) AS detail
        FROM ledger_entries GROUP BY seq, asset_id HAVING sum(amount_atoms) <> 0 ORDER BY seq, asset_id
    """,
    "I1 balances are the sum of their entries": """
        WITH entered AS (
            SELECT user_id, asset_id,
                   coalesce(sum(amount_atoms) FILTER (WHERE bucket = 1), 0) AS available,
                   coalesce(sum(amount_atoms) FILTER (WHERE bucket = 2), 0) AS held
            FROM ledger_entries WHERE bucket IN (1, 2) GROUP BY user_id, asset_id
        )
        SELECT 'user ' || user_id || ' asset ' || asset_id AS subject,
               'balance ' || coalesce(b.available_atoms, 0) || '+' || coalesce(b.held_atoms, 0)
               || ', entries ' || coalesce(e.available, 0) || '+' || coalesce(e.held, 0) AS detail
        FROM balances AS b FULL JOIN entered AS e USING (user_id, asset_id)
        WHERE coalesce(b.available_atoms, 0) <> coalesce(e.available, 0)
           OR coalesce(b.held_atoms, 0) <> coalesce(e.held, 0)
        ORDER BY user_id, asset_id
    """,
    "I1 balances and fees are what came in less what went out": """
        WITH flows AS (
            SELECT asset_id, amount_atoms AS inflow, 0::bigint AS kept FROM deposits
            UNION ALL
            SELECT asset_id, -amount_atoms, 0 FROM withdrawals WHERE status = 'SETTLED'
            UNION ALL
            SELECT asset_id, 0, available_atoms + held_atoms FROM balances
            UNION ALL
            SELECT asset_id, 0, amount_atoms FROM ledger_entries WHERE bucket = 3
        )
        SELECT 'asset ' || asset_id AS subject, 'in ' || sum(inflow) || ', kept ' || sum(kept) AS detail
        FROM flows GROUP BY asset_id HAVING sum(inflow) <> sum(kept) ORDER BY asset_id
    """,
    "I1 fees entered are the fees of the trades": """
        WITH fees AS (
            SELECT CASE t.buyer_fee_asset_id WHEN 0 THEN m.base_asset_id ELSE t.buyer_fee_asset_id END
                       AS asset_id, t.buyer_fee_atoms AS traded, 0::bigint AS entered
            FROM trades AS t JOIN markets AS m USING (market_id)
            UNION ALL
            SELECT CASE t.seller_fee_asset_id WHEN 0 THEN m.quote_asset_id ELSE t.seller_fee_asset_id END,
                   t.seller_fee_atoms, 0
            FROM trades AS t JOIN markets AS m USING (market_id)
            UNION ALL
            SELECT asset_id, 0, amount_atoms FROM ledger_entries WHERE bucket = 3
        )
        SELECT 'asset ' || asset_id AS subject,
               'trades ' || sum(traded) || ', entries ' || sum(entered) AS detail
        FROM fees GROUP BY asset_id HAVING sum(traded) <> sum(entered) ORDER BY asset_id
    """,
    "I2 nothing is negative": """
        SELECT 'user ' || user_id || ' asset ' || asset_id AS subject,
               available_atoms || '+' || held_atoms AS detail
        FROM balances WHERE available_atoms < 0 OR held_atoms < 0 ORDER BY user_id, asset_id
    """,
    "I3 a hold is the sum of its open orders and pending withdrawals": """
        WITH holds AS (
            SELECT o.user_id, CASE o.side WHEN 1 THEN m.quote_asset_id ELSE m.base_asset_id END AS asset_id,
                   o.held_atoms AS wanted, 0::bigint AS held
            FROM orders AS o JOIN markets AS m USING (market_id) WHERE o.status IN (1, 2)
            UNION ALL
            SELECT user_id, asset_id, amount_atoms, 0 FROM withdrawals WHERE status = 'RESERVED'
            UNION ALL
            SELECT user_id, asset_id, 0, held_atoms FROM balances
        )
        SELECT 'user ' || user_id || ' asset ' || asset_id AS subject,
               'held ' || sum(held) || ', orders and withdrawals ' || sum(wanted) AS detail
        FROM holds GROUP BY user_id, asset_id HAVING sum(held) <> sum(wanted) ORDER BY user_id, asset_id
    """,
    "I8 an order that ended holds nothing": """
        SELECT 'order ' || order_id AS subject, 'held ' || held_atoms AS detail
        FROM orders WHERE status NOT IN (1, 2) AND held_atoms <> 0 ORDER BY order_id
    """,
    "I8 an order has executed what its trades say": """
        WITH executed AS (
            SELECT order_id, sum(lots) AS lots, sum(quote) AS quote FROM (
                SELECT buyer_order_id AS order_id, quantity_lots AS lots, quote_atoms AS quote FROM trades
                UNION ALL
                SELECT seller_order_id, quantity_lots, quote_atoms FROM trades
            ) AS sides GROUP BY order_id
        )
        SELECT 'order ' || order_id AS subject,
               'order ' || coalesce(o.executed_lots, 0) || ' lots ' || coalesce(o.executed_quote_atoms, 0)
               || ' quote, trades ' || coalesce(e.lots, 0) || ' lots ' || coalesce(e.quote, 0)
               || ' quote' AS detail
        FROM orders AS o FULL JOIN executed AS e USING (order_id)
        WHERE coalesce(o.executed_lots, 0) <> coalesce(e.lots, 0)
           OR coalesce(o.executed_quote_atoms, 0) <> coalesce(e.quote, 0)
        ORDER BY order_id
    """,
    "I8 an order is FILLED exactly when all of it has executed or was prevented": """
        SELECT 'order ' || order_id AS subject,
               'status ' || status || ', ' || executed_lots || ' of ' || quantity_lots || ' lots' AS detail
        FROM orders
        WHERE (status = 3) <> (executed_lots + prevented_lots = quantity_lots AND status <> 6
                               AND quantity_lots > 0)
        ORDER BY order_id
    """,
    "I5 an order that ended shows nothing": """
        SELECT 'order ' || order_id AS subject, 'shown ' || displayed_lots AS detail
        FROM orders WHERE status NOT IN (1, 2) AND displayed_lots <> 0 ORDER BY order_id
    """,
    "I8 a list that decides about its orders has some that are open": """
        SELECT 'list ' || order_list_id AS subject, 'market ' || market_id AS detail FROM order_lists AS l
        WHERE done_ms = 0 AND NOT EXISTS (
            SELECT FROM orders AS o WHERE o.order_list_id = l.order_list_id AND o.order_list_id > 0
                AND o.status IN (1, 2)
        ) ORDER BY order_list_id
    """,
    "I7 no entry is beyond the position": """
        SELECT 'shard ' || shard AS subject, 'position ' || last_seq || ', entries ' || newest AS detail
        FROM positions, (SELECT max(seq) AS newest FROM ledger_entries) AS e WHERE newest > last_seq
    """,
    **CANDLE_CHECKS,
}


async def reconcile(connection: "AnyConnection") -> list[Breach]:
    """Run every check on one snapshot; at most BREACHES_PER_CHECK_MAX breaches of each. Empty is good."""
    breaches: list[Breach] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, query in CHECKS.items():
            rows = await connection.fetch(
                f"{query.rstrip()} LIMIT {BREACHES_PER_CHECK_MAX}", timeout=STATEMENT_DEADLINE_S
            )
            breaches += [Breach(name, row["subject"], row["detail"]) for row in rows]
    return breaches


async def _run(settings: Settings) -> list[Breach]:
    # Others import this module for its checks alone: only the command chooses an adapter.
    from exchange.adapters.postgres.pool import open_connection

    connection = await open_connection(settings, statement_deadline_s=STATEMENT_DEADLINE_S, writes=False)
    try:
        return await reconcile(connection)
    finally:
        await connection.close(timeout=settings.database_deadline_ms / 1000)


def main() -> int:
    """Print the breaches; 0 without any, 1 with some, 2 when the check itself could not run."""
    try:
        breaches = asyncio.run(_run(Settings.load()))
    except (SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"reconcile: {error or type(error).__name__}", file=sys.stderr)
        return 2
    for breach in breaches:
        print(f"BREACH {breach.check}: {breach.subject}: {breach.detail}")
    print(f"{len(CHECKS)} checks, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
