"""A count of the tiers of fees: ordered by somebody, or due because a day has begun (ADR 0052).

One at a time over all processes: whoever counts holds a lock of the database, which ends with its connection.
So a process that dies in the middle holds nobody up, and the next count goes on behind its last
page. Should a connection be lost whose process lives, two counts can overlap; they still add nothing twice
(`tiers.fold_trades` locks each market's page), and both send the same tiers.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NamedTuple

from exchange.log.deciding import decide_all
from exchange.process.components import Resources
from exchange.process.connections import acquire, transaction
from exchange.trading.intervals import DAY_MS
from services.operator.markets import tiers
from services.operator.markets.fees import account_tier
from services.operator.refusals import demand_done
from services.operator.tagged import OrderError

__all__ = ["Counted", "CountingElsewhereError", "TierCount"]

_LOCK_KEY: Final = 0x7469_6572  # "tier": nobody else takes this one
# Whether accounts could be in another tier than in none.
_ARE_THERE_TIERS: Final = """
SELECT EXISTS (SELECT FROM fee_tiers) OR EXISTS (SELECT FROM fee_standings WHERE tier > 0)
"""
# Never back: two replicas' clocks may stand on both sides of midnight.
_MARK: Final = """
INSERT INTO fee_counts AS f (is_only, day) VALUES (true, $1)
ON CONFLICT (is_only) DO UPDATE SET day = GREATEST(f.day, excluded.day)
"""


class CountingElsewhereError(OrderError):
    """Another process, or another order, counts at this moment."""


class Counted(NamedTuple):
    """What a count has done. `left`: accounts that are still in a wrong tier; 0 while trades are left."""

    moved: int
    left: int
    is_all_added: bool

    @property
    def is_over(self) -> bool:
        """Whether the next count would find nothing of this one."""
        return self.is_all_added and not self.left


class TierCount:
    """Counts, by the clock that it is given, in milliseconds since 1970."""

    def __init__(self, resources: Resources, clock_ms: Callable[[], int]) -> None:
        self._resources = resources
        self._clock_ms = clock_ms
        self._transaction = partial(transaction, resources.database, resources.settings.database_deadline_ms)

    async def count(self) -> Counted:
        """Count now: PAGES_MAX pages of trades and CHANGES_MAX accounts at most.

        Raises CountingElsewhereError, OrderError where the engine refuses, and what log and database raise.
        """
        async with self._alone():
            return await self._count()

    async def count_if_due(self) -> Counted | None:
        """As `count` if this day (UTC) is not counted to its end yet, by whomever; None if it is."""
        if not await self._is_due():
            return None
        async with self._alone():
            # Whoever held the lock a moment ago may have counted it.
            return await self._count() if await self._is_due() else None

    async def newest_day(self) -> int:
        """The newest day that is counted to its end, from 1970 on; -1 for none."""
        async with self._transaction() as connection:
            day = await connection.fetchval("SELECT day FROM fee_counts")
        return -1 if day is None else int(day)

    async def _is_due(self) -> bool:
        return await self.newest_day() < self._clock_ms() // DAY_MS

    async def _count(self) -> Counted:
        now_ms = self._clock_ms()
        found: list[tiers.Change] = []
        async with self._transaction() as connection:
            are_there = await connection.fetchval(_ARE_THERE_TIERS)
        # Most exchanges have none: nobody's trades are added up for nothing.
        if are_there:
            if not await tiers.fold_trades(self._transaction, now_ms):
                return Counted(0, 0, is_all_added=False)
            async with self._transaction() as connection:
                found = await tiers.changes(connection, now_ms)
        now = found[: tiers.CHANGES_MAX]
        if now:
            for outcome in await decide_all(self._resources, [account_tier(change) for change in now]):
                demand_done(outcome)
        counted = Counted(len(now), len(found) - len(now), is_all_added=True)
        if counted.is_over:
            async with self._transaction() as connection:
                await connection.execute(_MARK, now_ms // DAY_MS)
        return counted

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        deadline_ms = self._resources.settings.database_deadline_ms
        async with acquire(self._resources.database, deadline_ms) as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
                raise CountingElsewhereError("tiers are being counted at this moment: order again")
            try:
                yield
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)
