"""The SQL of what is agreed about fees: rare, but for the tiers of many accounts at once."""

from typing import TYPE_CHECKING, Final

from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.statements import expect

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["write_fees"]

_PUT_TIER: Final = """
INSERT INTO fee_tiers (tier, asset_id, volume_atoms_min, maker_share_ppm, taker_share_ppm)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tier) DO UPDATE
SET asset_id = $2, volume_atoms_min = $3, maker_share_ppm = $4, taker_share_ppm = $5
"""
_PUT_DISCOUNT: Final = """
INSERT INTO fee_discount (is_only, asset_id, discount_ppm) VALUES (true, $1, $2)
ON CONFLICT (is_only) DO UPDATE SET asset_id = $1, discount_ppm = $2
"""
_PUT_TIERS_OF: Final = """
INSERT INTO fee_standings AS s (user_id, tier)
SELECT * FROM unnest($1::bigint[], $2::int[])
ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier
"""
_PUT_SWITCHES: Final = """
INSERT INTO fee_standings AS s (user_id, pays_discounted)
SELECT * FROM unnest($1::bigint[], $2::boolean[])
ON CONFLICT (user_id) DO UPDATE SET pays_discounted = excluded.pays_discounted
"""


async def write_fees(connection: "AnyConnection", batch: LedgerBatch) -> None:
    """Markets' fees, tiers, the discount, and where accounts stand. Raises LedgerError."""
    for market_id, (maker_fee_ppm, taker_fee_ppm) in batch.fees.items():
        changed = await connection.execute(
            "UPDATE markets SET maker_fee_ppm = $2, taker_fee_ppm = $3 WHERE market_id = $1",
            market_id,
            maker_fee_ppm,
            taker_fee_ppm,
        )
        expect(changed, 1, "a market that changed its fees")
    for tier in batch.fee_tiers.values():
        if tier.volume_atoms_min:
            await connection.execute(
                _PUT_TIER,
                tier.tier,
                tier.asset_id,
                tier.volume_atoms_min,
                tier.maker_share_ppm,
                tier.taker_share_ppm,
            )
        else:
            await connection.execute("DELETE FROM fee_tiers WHERE tier = $1", tier.tier)
    if batch.fee_discount is not None:
        discount = batch.fee_discount
        await connection.execute(_PUT_DISCOUNT, discount.asset_id, discount.discount_ppm)
    for statement, changes in (
        (_PUT_TIERS_OF, batch.account_tiers),
        (_PUT_SWITCHES, batch.discount_switches),
    ):
        if changes:
            await connection.execute(statement, list(changes), list(changes.values()))
