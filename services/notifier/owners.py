"""Which outside identities open an account: browsers' connections stand under them (`owner_of`)."""

import asyncio
import time
from typing import Final, NamedTuple

import asyncpg

from exchange.process.connections import acquire
from exchange.security.identity.tokens import owner_of

__all__ = ["LIFETIME_S", "OWNERS_OF_USER_MAX", "USERS_MAX", "Owners"]

# So long an account may wait for its notices in a browser after it was linked.
LIFETIME_S: Final = 10.0
USERS_MAX: Final = 10_000
OWNERS_OF_USER_MAX: Final = 20

_OWNERS: Final = """
SELECT issuer, subject FROM identities WHERE user_id = $1 ORDER BY created_ms, issuer, subject LIMIT $2
"""


class _Kept(NamedTuple):
    owners: tuple[str, ...]
    until_s: float


class Owners:
    """Reads the user service's table `identities`, and keeps the answers for LIFETIME_S.

    One question at a time: a database that is slow must leave the pool to those who may miss nothing.
    """

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
        self._database = database
        self._deadline_ms = deadline_ms
        self._turn = asyncio.Lock()
        # The oldest answers first.
        self._kept: dict[int, _Kept] = {}

    async def of_user(self, user_id: int) -> tuple[str, ...]:
        """The first OWNERS_OF_USER_MAX identities that open the account.

        Raises one of process.connections.CONNECTION_ERRORS at the deadline, or before; UndefinedTableError
        while the migrations have not run.
        """
        kept = self._kept_of(user_id)
        if kept is None:
            async with asyncio.timeout(self._deadline_ms / 1000), self._turn:
                kept = self._kept_of(user_id)
                if kept is None:
                    kept = await self._read(user_id)
                    self._keep(user_id, kept)
        return kept

    async def _read(self, user_id: int) -> tuple[str, ...]:
        async with acquire(self._database, self._deadline_ms) as connection:
            rows = await connection.fetch(_OWNERS, user_id, OWNERS_OF_USER_MAX)
        return tuple(owner_of(row["issuer"], row["subject"]) for row in rows)

    def _kept_of(self, user_id: int) -> tuple[str, ...] | None:
        kept = self._kept.get(user_id)
        return None if kept is None or time.monotonic() >= kept.until_s else kept.owners

    def _keep(self, user_id: int, owners: tuple[str, ...]) -> None:
        self._kept.pop(user_id, None)
        if len(self._kept) >= USERS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[user_id] = _Kept(owners, time.monotonic() + LIFETIME_S)
