"""Accounts into tiers of fees by what they have traded within 30 days, counted from the ledger (ADR 0047).

The engine does not count: it is told. Trades are added up by day, a page in each transaction, so a count
that was cut short goes on where it stood; and what is right already is not sent again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.money import format_fixed

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]
    Begin = Callable[[], AbstractAsyncContextManager[Connection]]

__all__ = ["CHANGES_MAX", "Change", "Tier", "changes", "fee_lines", "fold_trades", "tiers_of"]

_DAY_MS: Final = 86_400_000
_WINDOW_DAYS: Final = 30
# What one order of an operator changes at most: a minute of a busy exchange. Who needs more orders it again.
CHANGES_MAX: Final = 10_000
PAGES_MAX: Final = 1_000
# Added up at once; a page is some ten milliseconds of the database's.
_TRADES_PER_PAGE: Final = 20_000
# Where a market's sums begin: with what is old enough to be in no window any more.
_BEGIN: Final = """
INSERT INTO fee_volume_folds (market_id, trade_id)
SELECT m.market_id, coalesce((SELECT trade_id FROM trades WHERE market_id = m.market_id AND time_ms < $1
    ORDER BY time_ms DESC, trade_id DESC LIMIT 1), 0) FROM markets AS m
ON CONFLICT DO NOTHING
"""
# Locked, so that two counts at once add nothing twice.
_FOLDED: Final = """
SELECT f.trade_id, m.quote_asset_id FROM fee_volume_folds AS f JOIN markets AS m USING (market_id)
WHERE f.market_id = $1 FOR UPDATE OF f
"""
_LAST_OF_PAGE: Final = """
SELECT max(trade_id) FROM (
    SELECT trade_id FROM trades WHERE market_id = $1 AND trade_id > $2 ORDER BY trade_id LIMIT $3) AS page
"""
# Trades with oneself are nobody's volume.
_FOLD: Final = """
WITH page AS (
    SELECT buyer_user_id, seller_user_id, quote_atoms, (time_ms / 86400000)::int AS day FROM trades
    WHERE market_id = $1 AND trade_id > $2 AND trade_id <= $3 AND buyer_user_id <> seller_user_id)
INSERT INTO fee_volumes AS v (user_id, day, quote_asset_id, atoms)
SELECT user_id, day, $4::int, sum(quote_atoms) FROM (
    SELECT buyer_user_id AS user_id, day, quote_atoms FROM page
    UNION ALL SELECT seller_user_id, day, quote_atoms FROM page) AS sides
GROUP BY user_id, day
ON CONFLICT (day, user_id, quote_asset_id) DO UPDATE SET atoms = v.atoms + excluded.atoms
"""
_VOLUMES: Final = """
SELECT user_id, quote_asset_id, sum(atoms) AS atoms FROM fee_volumes WHERE day > $1 AND day <= $2
GROUP BY user_id, quote_asset_id
"""
# The last price of each asset in the asset of the tiers, per lot, from the oldest market of the pair.
_PRICES: Final = """
SELECT DISTINCT ON (m.base_asset_id) m.base_asset_id, t.price_ticks * m.notional_unit_atoms::numeric AS worth,
       m.lot_atoms
FROM markets AS m CROSS JOIN LATERAL (
    SELECT price_ticks FROM trades WHERE market_id = m.market_id ORDER BY trade_id DESC LIMIT 1) AS t
WHERE m.quote_asset_id = $1 ORDER BY m.base_asset_id, m.market_id
"""


class Tier(NamedTuple):
    """A row of `fee_tiers`."""

    tier: int
    asset_id: int
    volume_atoms_min: int
    maker_share_ppm: int
    taker_share_ppm: int


class Change(NamedTuple):
    """An account that belongs into another tier than it is in."""

    user_id: int
    tier: int


async def tiers_of(connection: "Connection") -> list[Tier]:
    """All tiers, the highest first."""
    rows = await connection.fetch(f"SELECT {', '.join(Tier._fields)} FROM fee_tiers ORDER BY tier DESC")
    return [Tier(*row) for row in rows]


async def fold_trades(begin: "Begin", now_ms: int) -> bool:
    """Add up what was traded since the last time, a page in each transaction; whether that is all of it."""
    first_day = now_ms // _DAY_MS - _WINDOW_DAYS
    async with begin() as connection:
        await connection.execute(_BEGIN, first_day * _DAY_MS)
        await connection.execute("DELETE FROM fee_volumes WHERE day <= $1", first_day)
        rows = await connection.fetch("SELECT market_id FROM fee_volume_folds ORDER BY market_id")
    pages = 0
    for row in rows:
        while True:
            if pages == PAGES_MAX:
                return False
            async with begin() as connection:
                if not await _fold_page(connection, row["market_id"]):
                    break
            pages += 1
    return True


async def _fold_page(connection: "Connection", market_id: int) -> bool:
    """Whether there was anything to add up."""
    folded = await connection.fetchrow(_FOLDED, market_id)
    assert folded is not None, "each market has its row"
    before = folded["trade_id"]
    last = await connection.fetchval(_LAST_OF_PAGE, market_id, before, _TRADES_PER_PAGE)
    if last is None:
        return False
    await connection.execute(_FOLD, market_id, before, last, folded["quote_asset_id"])
    await connection.execute(
        "UPDATE fee_volume_folds SET trade_id = $2 WHERE market_id = $1", market_id, last
    )
    return True


async def changes(connection: "Connection", now_ms: int) -> list[Change]:
    """Whose tier is not what the trades of the last 30 days ask for, today's among them, by account.

    Of tiers whose volume an account has, it gets the highest. Trades in other quote assets than the tier's
    count at the last price of that asset; where there is none they do not count.
    """
    tiers = await tiers_of(connection)
    today = now_ms // _DAY_MS
    traded: dict[int, dict[int, int]] = {}
    for row in await connection.fetch(_VOLUMES, today - _WINDOW_DAYS, today):
        traded.setdefault(row["user_id"], {})[row["quote_asset_id"]] = int(row["atoms"])
    prices = {
        asset_id: await _prices(connection, asset_id) for asset_id in sorted({t.asset_id for t in tiers})
    }
    wanted = {user_id: _tier(tiers, volumes, prices) for user_id, volumes in traded.items()}
    rows = await connection.fetch("SELECT user_id, tier FROM fee_standings WHERE tier > 0")
    is_in = {row["user_id"]: row["tier"] for row in rows}
    return [
        Change(user_id, wanted.get(user_id, 0))
        for user_id in sorted(wanted.keys() | is_in.keys())
        if wanted.get(user_id, 0) != is_in.get(user_id, 0)
    ]


async def _prices(connection: "Connection", asset_id: int) -> dict[int, tuple[int, int]]:
    """Asset -> (atoms of `asset_id`, atoms of the asset) that are worth the same."""
    prices = {
        row["base_asset_id"]: (int(row["worth"]), int(row["lot_atoms"]))
        for row in await connection.fetch(_PRICES, asset_id)
    }
    return prices | {asset_id: (1, 1)}


def _tier(
    tiers: Sequence[Tier], volumes: Mapping[int, int], prices: Mapping[int, Mapping[int, tuple[int, int]]]
) -> int:
    for tier in tiers:
        worth = 0
        for quote_id, atoms in volumes.items():
            numerator, denominator = prices[tier.asset_id].get(quote_id, (0, 1))
            worth += atoms * numerator // denominator
        if worth >= tier.volume_atoms_min:
            return tier.tier
    return 0


async def fee_lines(connection: "Connection") -> list[str]:
    """What holds: each market's fees, the tiers with how many accounts are in them, the discount, and the day
    (UTC) whose tiers were counted last.
    """
    assets = {
        row["asset_id"]: (row["code"], row["decimals"])
        for row in await connection.fetch("SELECT asset_id, code, decimals FROM assets")
    }
    lines = [
        f"{row['symbol']}: maker {_part(row['maker_fee_ppm'])}, taker {_part(row['taker_fee_ppm'])}"
        for row in await connection.fetch("SELECT * FROM markets ORDER BY market_id")
    ]
    counted = await connection.fetch("SELECT tier, count(*) AS accounts FROM fee_standings GROUP BY tier")
    accounts = {row["tier"]: row["accounts"] for row in counted}
    for tier in reversed(await tiers_of(connection)):
        code, decimals = assets[tier.asset_id]
        lines.append(
            f"tier {tier.tier}: from {format_fixed(tier.volume_atoms_min, decimals)} {code} in 30 days, "
            f"maker {_part(tier.maker_share_ppm)}, taker {_part(tier.taker_share_ppm)} of the fee, "
            f"{accounts.get(tier.tier, 0)} accounts"
        )
    discount = await connection.fetchrow("SELECT asset_id, discount_ppm FROM fee_discount WHERE asset_id > 0")
    if discount is not None:
        switched = await connection.fetchval("SELECT count(*) FROM fee_standings WHERE pays_discounted")
        lines.append(
            f"in {assets[discount['asset_id']][0]}: {_part(discount['discount_ppm'])} of the fee less, "
            f"{switched} accounts"
        )
    day = await connection.fetchval("SELECT day FROM fee_counts")
    if day is not None:
        lines.append(f"tiers were counted on {date(1970, 1, 1) + timedelta(days=day)}")
    return lines or ["there is no market"]


def _part(ppm: int) -> str:
    return format_fixed(ppm, 6)
