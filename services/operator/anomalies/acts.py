"""Turns a market to cancel-only because of an anomaly that asks for it, as an operator's order (ADR 0057).

Once for each anomaly at the most: who acts writes that down before he does. Whoever dies between the two has
acted for nothing, and the anomaly stands there open. Nothing here ever opens a market again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
from prometheus_client import Counter

from exchange.contracts import codes
from exchange.contracts.anomaly_kinds import kinds_that_act
from exchange.contracts.limits import ANOMALY_ACTS_WITHIN_MS
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS, transaction
from exchange.wall_clock import clock_ms
from services.operator.anomalies.listing import name_of
from services.operator.desk import OperatorDesk
from services.operator.orders import SetMode, Signed, mode_text

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from services.operator.orders import Answer

__all__ = ["WHO", "AnomalyActs"]

logger = logging.getLogger(__name__)

# Who ordered it, in the audit log.
WHO: Final = "anomaly-watch"
LOOK_EVERY_S: Final = 0.5
_OUTCOME_LENGTH_MAX: Final = 500
# From these a market becomes stricter by cancel-only; from all others it would become less so.
_STRICTER_FROM: Final = (codes.MODE_TRADING, codes.MODE_POST_ONLY)
_FAILURES: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.PostgresError)

_RESULTS: Final = ("done", "left", "failed")
_acts_total = Counter(
    "exchange_anomaly_acts_total", "Anomalies that asked for cancel-only: done, left or failed.", ["result"]
)

# Each is taken by one of all processes that look.
_TAKE: Final = """
WITH taken AS (
    UPDATE anomalies SET acted_ms = $3 WHERE anomaly_id = (
        SELECT anomaly_id FROM anomalies
        WHERE shard = $1 AND asks_cancel_only AND acted_ms IS NULL AND raised_ms >= $2
        ORDER BY anomaly_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING anomaly_id, kind, market_id, value, limit_value)
SELECT t.*, m.symbol AS whose, m.mode FROM taken t LEFT JOIN markets m USING (market_id)
"""
_CONCLUDE: Final = "UPDATE anomalies SET outcome = $2 WHERE anomaly_id = $1"


class AnomalyActs:
    """Component that looks twice a second for anomalies that ask for cancel-only; idle if none can."""

    name = "anomaly-acts"

    def __init__(
        self,
        resources: Resources,
        carry_out: "Callable[[Signed], Awaitable[Answer]] | None" = None,
        clock_ms: Callable[[], int] = clock_ms,
    ) -> None:
        """`carry_out`: what does an operator's order, if not a desk of its own."""
        settings = resources.settings
        self._shard = settings.shard
        self._is_asked = bool(kinds_that_act(settings.anomaly_action))
        self._transaction = partial(transaction, resources.database, settings.database_deadline_ms)
        self._carry_out = carry_out or OperatorDesk(resources).carry_out
        self._clock_ms = clock_ms
        for result in _RESULTS:
            # What begins with its first one has not increased, for whoever asks by how much.
            _acts_total.labels(result)

    async def start(self) -> None:
        """Nothing to recover: what asks stands in the table, and what is too old to act on stays there."""

    async def run(self) -> None:
        """Look until cancelled."""
        while self._is_asked:
            try:
                while await self.look():
                    pass
            except _FAILURES as error:
                logger.warning("whether an anomaly asks for cancel-only is not known: %r", error)
            await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Nothing is held."""

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way of trading."""
        return {}

    async def look(self) -> bool:
        """Act on one anomaly, if one asks. Raises what the database raises."""
        now_ms = self._clock_ms()
        async with self._transaction() as connection:
            taken = await connection.fetchrow(_TAKE, self._shard, now_ms - ANOMALY_ACTS_WITHIN_MS, now_ms)
        if taken is None:
            return False
        result, outcome = await self._act(taken)
        _acts_total.labels(result).inc()
        logger.warning("anomaly %s: %s: %s", name_of(taken), result, outcome)
        async with self._transaction() as connection:
            await connection.execute(_CONCLUDE, taken["anomaly_id"], outcome[:_OUTCOME_LENGTH_MAX])
        return True

    async def _act(self, taken: "asyncpg.Record") -> tuple[str, str]:
        if taken["mode"] not in _STRICTER_FROM:
            held = "not known" if taken["mode"] is None else mode_text(taken["mode"])
            return "left", f"left as it is: {held}"
        reason = f"anomaly {name_of(taken)}"
        answer = await self._carry_out(Signed(SetMode(taken["whose"], "cancel-only"), WHO, reason))
        return "done" if answer.is_done else "failed", "; ".join(answer.lines)
