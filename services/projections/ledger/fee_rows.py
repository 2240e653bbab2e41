"""What is agreed about fees, and its SQL: rare, but for the tiers of many accounts at once."""

from typing import TYPE_CHECKING, Final

from exchange.contracts.events import Event
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
)
from services.projections.ledger.statements import expect

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["FeeChanges", "write_fees"]

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


class FeeChanges:
    """What a batch changes of fees. `discount` is None, and the others empty, where nothing changed."""

    def __init__(self) -> None:
        # market_id -> (maker, taker) in ppm.
        self.of_markets: dict[int, tuple[int, int]] = {}
        self.tiers: dict[int, FeeTierChanged] = {}
        self.discount: FeeDiscountChanged | None = None
        # user_id -> tier, and whether fees are paid in the discount asset.
        self.tier_of: dict[int, int] = {}
        self.pays_discounted: dict[int, bool] = {}

    def take(self, event: Event) -> bool:
        """Note the event; False if it is not about fees."""
        if isinstance(event, MarketFeesChanged):
            self.of_markets[event.market_id] = (event.maker_fee_ppm, event.taker_fee_ppm)
        elif isinstance(event, AccountTierChanged):
            self.tier_of[event.user_id] = event.tier
        elif isinstance(event, FeeDiscountSwitched):
            self.pays_discounted[event.user_id] = event.is_on == 1
        elif isinstance(event, FeeTierChanged):
            self.tiers[event.tier] = event
        elif isinstance(event, FeeDiscountChanged):
            self.discount = event
        else:
            return False
        return True


async def write_fees(connection: "AnyConnection", changes: FeeChanges) -> None:
    """Markets' fees, tiers, the discount, and where accounts stand. Raises LedgerError."""
    for market_id, (maker_fee_ppm, taker_fee_ppm) in changes.of_markets.items():
        changed = await connection.execute(
            "UPDATE markets SET maker_fee_ppm = $2, taker_fee_ppm = $3 WHERE market_id = $1",
            market_id,
            maker_fee_ppm,
            taker_fee_ppm,
        )
        expect(changed, 1, "a market that changed its fees")
    for tier in changes.tiers.values():
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
    if changes.discount is not None:
        discount = changes.discount
        await connection.execute(_PUT_DISCOUNT, discount.asset_id, discount.discount_ppm)
    for statement, of_users in (
        (_PUT_TIERS_OF, changes.tier_of),
        (_PUT_SWITCHES, changes.pays_discounted),
    ):
        if of_users:
            await connection.execute(statement, list(of_users), list(of_users.values()))
