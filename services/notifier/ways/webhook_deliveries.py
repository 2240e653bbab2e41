"""Notices that wait for webhooks, and what came of them: the tables `webhooks` and `webhook_deliveries`."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg
from prometheus_client import Counter

from exchange.contracts.notice_topics import WEBHOOK_GIVEN_UP_MAX, WEBHOOK_WAITING_MAX
from exchange.process.connections import acquire, transaction
from exchange.wall_clock import clock_ms
from services.notifier.notices import Notice

__all__ = ["RETRY_DELAYS_MS", "Delivery", "Hook", "WebhookDeliveries"]

# How long after each failure the next try is; after the last it is given up.
RETRY_DELAYS_MS: Final = (10_000, 60_000, 300_000, 1_800_000, 7_200_000)
_RESULT_LENGTH_MAX: Final = 200

_dropped_total = Counter(
    "exchange_webhook_dropped_total", "Notices for a webhook for which too many waited already."
)
_ADD: Final = """
INSERT INTO webhook_deliveries (user_id, notice_id, body, due_ms)
SELECT n.user_id, n.notice_id, n.body, $4
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (user_id, notice_id, body)
WHERE (
    SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.user_id = n.user_id LIMIT $5) AS waiting
) < $5
ON CONFLICT (user_id, notice_id) DO NOTHING
"""
_DUE: Final = """
SELECT user_id FROM webhook_deliveries WHERE due_ms <= $1 AND NOT user_id = ANY($2::bigint[])
GROUP BY user_id ORDER BY min(due_ms) LIMIT $3
"""
_NEXT: Final = """
SELECT delivery_id, notice_id, body, attempts FROM webhook_deliveries
WHERE user_id = $1 AND due_ms <= $2 ORDER BY due_ms, delivery_id LIMIT 1
"""
# The others of the account wait with it: its program is away for all of them.
_PUT_OFF: Final = "UPDATE webhook_deliveries SET due_ms = greatest(due_ms, $2) WHERE user_id = $1"
_TOLD: Final = "UPDATE webhooks SET last_ms = $2, last_result = $3, given_up = $4 WHERE user_id = $1"


class Hook(NamedTuple):
    """Where a program of somebody's is told, and the sealed key that signs."""

    url: str
    secret_encrypted: bytes
    given_up: int


class Delivery(NamedTuple):
    """A notice on its way. `attempts`: that have failed."""

    delivery_id: int
    notice_id: str
    body: str
    attempts: int


class WebhookDeliveries:
    """Everything raises one of process.connections.CONNECTION_ERRORS."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
        self._database = database
        self._deadline_ms = deadline_ms

    async def add(self, notices: Sequence[Notice]) -> None:
        """Let them wait, each once; beyond WEBHOOK_WAITING_MAX of an account they are dropped."""
        if not notices:
            return
        columns = list(zip(*((n.user_id, n.notice_id, n.encode()) for n in notices), strict=True))
        async with acquire(self._database, self._deadline_ms) as connection:
            done = await connection.execute(_ADD, *map(list, columns), clock_ms(), WEBHOOK_WAITING_MAX)
        _dropped_total.inc(len(notices) - int(done.rsplit(" ", 1)[1]))

    async def due(self, busy: Sequence[int], count_max: int) -> list[int]:
        """Accounts for which something is due, the longest first, and that are not at work."""
        async with acquire(self._database, self._deadline_ms) as connection:
            rows = await connection.fetch(_DUE, clock_ms(), list(busy), count_max)
        return [int(row["user_id"]) for row in rows]

    async def hook(self, user_id: int) -> Hook | None:
        """The account's webhook; None, and nothing waits any more, where there is none or it was given up."""
        async with acquire(self._database, self._deadline_ms) as connection:
            row = await connection.fetchrow(
                "SELECT url, secret_encrypted, given_up FROM webhooks WHERE user_id = $1", user_id
            )
            if row is not None and row["given_up"] < WEBHOOK_GIVEN_UP_MAX:
                return Hook(*row)
            await connection.execute("DELETE FROM webhook_deliveries WHERE user_id = $1", user_id)
        return None

    async def next(self, user_id: int) -> Delivery | None:
        """What is due next for the account."""
        async with acquire(self._database, self._deadline_ms) as connection:
            row = await connection.fetchrow(_NEXT, user_id, clock_ms())
        return None if row is None else Delivery(*row)

    async def arrived(self, user_id: int, delivery: Delivery, result: str) -> None:
        """It is there."""
        async with transaction(self._database, self._deadline_ms) as connection:
            await connection.execute(
                "DELETE FROM webhook_deliveries WHERE delivery_id = $1", delivery.delivery_id
            )
            await connection.execute(_TOLD, user_id, clock_ms(), result[:_RESULT_LENGTH_MAX], 0)

    async def failed(self, user_id: int, delivery: Delivery, given_up: int, result: str) -> None:
        """It is tried later, or given up."""
        now_ms, is_last = clock_ms(), delivery.attempts >= len(RETRY_DELAYS_MS)
        async with transaction(self._database, self._deadline_ms) as connection:
            if is_last:
                await connection.execute(
                    "DELETE FROM webhook_deliveries WHERE delivery_id = $1", delivery.delivery_id
                )
            else:
                await connection.execute(
                    "UPDATE webhook_deliveries SET attempts = attempts + 1 WHERE delivery_id = $1",
                    delivery.delivery_id,
                )
                await connection.execute(_PUT_OFF, user_id, now_ms + RETRY_DELAYS_MS[delivery.attempts])
            text = result[:_RESULT_LENGTH_MAX]
            await connection.execute(_TOLD, user_id, now_ms, text, given_up + is_last)

    async def put_off(self, user_id: int) -> None:
        """Try later, for a reason that is ours."""
        async with acquire(self._database, self._deadline_ms) as connection:
            await connection.execute(_PUT_OFF, user_id, clock_ms() + RETRY_DELAYS_MS[0])
