"""What an account had at the end of each day (UTC) gone by, reckoned back from what it has now.

Nobody keeps a row a day: the ledger's entries say what has changed since. Bounded: of each asset the newest
ENTRIES_LOOKED_AT_MAX entries are read, and days that would need older ones are not told at all.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from exchange.trading.intervals import DAY_MS

__all__ = ["DAYS_MAX", "ENTRIES_LOOKED_AT_MAX", "STATEMENT", "Balance", "ends_of_days"]

DAYS_MAX: Final = 30
ENTRIES_LOOKED_AT_MAX: Final = 50_000
# Buckets of the ledger, and a mark of our own for the row that says how far back the entries go.
_AVAILABLE, _HELD, _OLDEST = 1, 2, 0
# One statement, so one snapshot: what there is, and what came since. $1 user, $2 from when on, $3 entries.
STATEMENT: Final = f"""
WITH own AS (SELECT asset_id, available_atoms, held_atoms FROM balances WHERE user_id = $1),
newest AS (
    SELECT own.asset_id, e.* FROM own CROSS JOIN LATERAL (
        SELECT time_ms, bucket, amount_atoms FROM ledger_entries
        WHERE (user_id, asset_id, entry_id) >= ($1, own.asset_id, 0)
          AND (user_id, asset_id, entry_id) <= ($1, own.asset_id, 9223372036854775807)
        ORDER BY user_id DESC, asset_id DESC, entry_id DESC LIMIT $3) AS e)
SELECT asset_id, {_AVAILABLE} AS what, NULL::bigint AS day, available_atoms::numeric AS atoms FROM own
UNION ALL SELECT asset_id, {_HELD}, NULL, held_atoms FROM own
UNION ALL SELECT asset_id, {_OLDEST}, min(time_ms) / {DAY_MS}, count(*) FROM newest GROUP BY asset_id
UNION ALL SELECT asset_id, bucket, time_ms / {DAY_MS}, sum(amount_atoms) FROM newest WHERE time_ms >= $2
    GROUP BY 1, 2, 3
"""


class Balance(NamedTuple):
    """Of one asset, in its atoms."""

    available_atoms: int
    held_atoms: int


def ends_of_days(
    rows: Iterable[tuple[int, int, int | None, int]], first_day: int, today: int, entries_max: int
) -> dict[int, dict[int, Balance]]:
    """Day, counted from 1970 -> asset -> what was there at its end, where that was anything.

    Whole days from `first_day` on before `today`, the oldest first, of an account that was there already.
    `rows`: what STATEMENT gives, read with the same bounds.
    """
    now: dict[tuple[int, int], int] = {}
    moved: dict[int, dict[tuple[int, int], int]] = {}
    began, known_from = today, first_day
    for asset_id, what, day, atoms in rows:
        if day is None:
            now[asset_id, what] = int(atoms)
        elif what == _OLDEST:
            began = min(began, day)
            if atoms >= entries_max:
                known_from = max(known_from, day)
        else:
            moved.setdefault(day, {})[asset_id, what] = int(atoms)
    for day in [day for day in moved if day >= today]:
        _take_back(now, moved[day])
    found: dict[int, dict[int, Balance]] = {}
    for day in range(today - 1, max(began, known_from) - 1, -1):
        every = ((asset_id, _balance(now, asset_id)) for asset_id in sorted({key[0] for key in now}))
        found[day] = {asset_id: balance for asset_id, balance in every if any(balance)}
        _take_back(now, moved.get(day, {}))
    return dict(reversed(found.items()))


def _take_back(atoms: dict[tuple[int, int], int], moved: dict[tuple[int, int], int]) -> None:
    for key, amount in moved.items():
        atoms[key] -= amount


def _balance(atoms: dict[tuple[int, int], int], asset_id: int) -> Balance:
    return Balance(atoms.get((asset_id, _AVAILABLE), 0), atoms.get((asset_id, _HELD), 0))
