"""A `MessageQueue` in a table of PostgreSQL, for where there is no SQS; it behaves as SQS does.

A put of a message that is still there changes nothing, so repeats are recognised while it waits.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from exchange.ports.messages import RECEIVED_MAX, MessageError, NewMessage, QueuedMessage
from exchange.process.connections import CONNECTION_ERRORS, acquire

__all__ = ["DatabaseQueue"]

MESSAGES_MAX: Final = 100_000
HIDDEN_MS: Final = 60_000
# How long dead letters are kept: as long as SQS keeps them (infra/terraform/modules/messaging).
_DEAD_DAYS_MAX: Final = 14
_POLL_S: Final = 0.25
# The server is away, or the migrations have not run yet.
_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)

_IS_FULL: Final = (
    "SELECT count(*) >= $1 FROM (SELECT FROM message_queue WHERE dead_at IS NULL LIMIT $1) AS waiting"
)
_PUT: Final = """
INSERT INTO message_queue (message_id, body) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT DO NOTHING
"""
_BURY: Final = """
UPDATE message_queue SET dead_at = now()
WHERE dead_at IS NULL AND visible_at <= now() AND attempts >= $1
"""
_FORGET: Final = "DELETE FROM message_queue WHERE dead_at < now() - make_interval(days => $1)"
_RECEIVE: Final = """
UPDATE message_queue AS q
SET attempts = q.attempts + 1, receipt = gen_random_uuid(),
    visible_at = now() + make_interval(secs => $2::bigint / 1000.0)
FROM (
    SELECT message_id FROM message_queue
    WHERE dead_at IS NULL AND visible_at <= now() AND attempts < $3
    ORDER BY visible_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due
WHERE q.message_id = due.message_id
RETURNING q.body, q.attempts, q.receipt
"""
_DELETE: Final = "DELETE FROM message_queue WHERE receipt = ANY($1::uuid[]) AND dead_at IS NULL"
_HIDE: Final = """
UPDATE message_queue SET visible_at = now() + make_interval(secs => $2::bigint / 1000.0)
WHERE receipt = $1 AND dead_at IS NULL
"""
_REDRIVE: Final = """
UPDATE message_queue SET dead_at = NULL, attempts = 0, visible_at = now()
WHERE message_id IN (
    SELECT message_id FROM message_queue WHERE dead_at IS NOT NULL
    ORDER BY dead_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
"""


class DatabaseQueue:
    """The table `message_queue`. A message that was given `attempts_max` times and not deleted is dead."""

    def __init__(
        self,
        database: "asyncpg.Pool[asyncpg.Record]",
        deadline_ms: int,
        attempts_max: int,
        hidden_ms: int = HIDDEN_MS,
    ) -> None:
        self._database = database
        self._deadline_ms = deadline_ms
        self._attempts_max = attempts_max
        self._hidden_ms = hidden_ms

    async def put(self, messages: Sequence[NewMessage]) -> None:
        """All or none; refused while MESSAGES_MAX wait."""
        if not messages:
            return
        if (await self._fetch(_IS_FULL, MESSAGES_MAX))[0][0]:
            raise MessageError(f"message_queue: {MESSAGES_MAX} messages wait")
        await self._fetch(_PUT, [m.message_id for m in messages], [m.body for m in messages])

    async def receive(self, wait_ms: int) -> list[QueuedMessage]:
        """Look, and look again until the time is over."""
        until = asyncio.get_running_loop().time() + wait_ms / 1000
        while True:
            await self._fetch(_BURY, self._attempts_max)
            rows = await self._fetch(_RECEIVE, RECEIVED_MAX, self._hidden_ms, self._attempts_max)
            left_s = until - asyncio.get_running_loop().time()
            if rows or left_s <= 0:
                return [QueuedMessage(row["body"], row["attempts"], str(row["receipt"])) for row in rows]
            await asyncio.sleep(min(_POLL_S, left_s))

    async def delete(self, messages: Sequence[QueuedMessage]) -> None:
        """Deliveries that somebody else has got since are not touched."""
        await self._fetch(_DELETE, [UUID(message.receipt) for message in messages])

    async def retry_later(self, message: QueuedMessage, delay_ms: int) -> None:
        """Hide this delivery for so long."""
        await self._fetch(_HIDE, UUID(message.receipt), delay_ms)

    async def dead_count(self) -> int:
        """The dead letters of the last fourteen days; older ones are forgotten."""
        await self._fetch(_FORGET, _DEAD_DAYS_MAX)
        return int((await self._fetch("SELECT count(*) FROM message_queue WHERE dead_at IS NOT NULL"))[0][0])

    async def redrive(self, count_max: int) -> int:
        """The oldest first; their attempts begin anew."""
        await self._fetch(_BURY, self._attempts_max)
        return len(await self._fetch(f"{_REDRIVE} RETURNING message_id", count_max))

    async def close(self) -> None:
        """Nothing: the pool belongs to the process."""

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        try:
            async with (
                asyncio.timeout(2 * self._deadline_ms / 1000),
                acquire(self._database, self._deadline_ms) as connection,
            ):
                return list(await connection.fetch(statement, *arguments))
        except _AWAY as error:
            raise MessageError(f"message_queue: {type(error).__name__}: {error}") from error
