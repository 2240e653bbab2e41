"""The daily count of the tiers of fees, as a component: one of all replicas counts (ADR 0052)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import asyncpg
from prometheus_client import Counter, Gauge

from exchange.log.deciding import DECIDING_ERRORS
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS, transaction
from exchange.security import audit_log
from exchange.security.audit_log import Act
from exchange.wall_clock import clock_ms
from services.operator.markets.counting import Counted, CountingElsewhereError, TierCount
from services.operator.tagged import OrderError

__all__ = ["LOOK_EVERY_S", "DailyTierCount"]

logger = logging.getLogger(__name__)
# Between two looks, and so between two portions of a long count; the ledger has the first one by then.
LOOK_EVERY_S: Final = 60.0
# One portion: 20 million trades at some ten milliseconds a page, and 10,000 commands.
_PORTION_DEADLINE_S: Final = 300.0
_FAILURES: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    asyncpg.PostgresError,
    *DECIDING_ERRORS,
    OrderError,
)
_counted_day = Gauge(
    "exchange_fee_tiers_counted_day", "Newest day, from 1970 on, whose tiers of fees are counted to the end"
)
_failures_total = Counter(
    "exchange_fee_tier_count_failures_total",
    "Daily counts of the tiers of fees that failed; they are repeated",
)


class DailyTierCount:
    """Looks every minute whether a day (UTC) has begun whose tiers nobody has counted, and counts them."""

    name = "fee-tiers"

    def __init__(self, resources: Resources, clock_ms: Callable[[], int] = clock_ms) -> None:
        self._resources = resources
        self._clock_ms = clock_ms
        self._count = TierCount(resources, clock_ms)

    async def start(self) -> None:
        """Nothing to recover: what is counted stands in the database."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def stop(self) -> None:
        """Nothing to let go."""

    def readiness(self) -> Mapping[str, str | None]:
        """Never a reason to send traders elsewhere: an alert tells of a day that is not counted."""
        return {}

    async def look(self) -> Counted | None:
        """Count a portion if it is due; None if it is not, or cannot be done now. Raises nothing else."""
        try:
            async with asyncio.timeout(_PORTION_DEADLINE_S):
                counted = await self._count.count_if_due()
                if counted is not None and counted.moved:
                    await self._note(counted)
                _counted_day.set(await self._count.newest_day())
        except CountingElsewhereError:
            return None
        except _FAILURES as error:
            _failures_total.inc()
            logger.warning("tiers of fees are not counted yet: %s", error or type(error).__name__)
            return None
        return counted

    async def _note(self, counted: Counted) -> None:
        """Nobody has ordered it, and accounts pay something else from now on: it stands beside the orders."""
        logger.info("%d accounts are in another tier of fees, %d are left", counted.moved, counted.left)
        act = Act(
            "fee-tiers-counted", None, "", self._clock_ms(), {"moved": counted.moved, "left": counted.left}
        )
        deadline_ms = self._resources.settings.database_deadline_ms
        async with transaction(self._resources.database, deadline_ms) as connection:
            await audit_log.append(connection, act)
