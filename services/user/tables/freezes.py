"""Freezes of withdrawals in PostgreSQL: who may use a link, what holds now, when it ends.

Every change locks the account's row first, as a withdrawal does: what is asked for at the same moment is
either before the freeze, and then held by who pays, or behind it, and refused.
"""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["Freeze", "FreezeStore", "FreezeTokenRefusedError", "NotFrozenError", "is_frozen"]

_HOLDS = "(ends_ms IS NULL OR ends_ms > $2)"


class FreezeTokenRefusedError(Exception):
    """No such link, too old, or used for a freeze that has ended since."""


class NotFrozenError(Exception):
    """There is no freeze that the owner could end."""


class Freeze(NamedTuple):
    """What holds. `source`: OWNER or OPERATOR; `ends_ms` None: until somebody ends it."""

    source: str
    frozen_ms: int
    ends_ms: int | None


async def is_frozen(connection: "PoolConnectionProxy[Any]", user_id: int, now_ms: int) -> bool:
    """Whether anything may leave the account; the caller has locked its row."""
    return bool(
        await connection.fetchval(
            f"SELECT EXISTS (SELECT 1 FROM withdrawal_freezes WHERE user_id = $1 AND {_HOLDS})",
            user_id,
            now_ms,
        )
    )


_FREEZE_BY_OWNER: Final = (
    "INSERT INTO withdrawal_freezes (user_id, source, frozen_ms) VALUES ($1, 'OWNER', $2) "
    "ON CONFLICT (user_id, source) DO UPDATE SET frozen_ms = excluded.frozen_ms, ends_ms = NULL"
)


class FreezeStore:
    """Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def freeze_by_token(self, token_hash: bytes, now_ms: int, ip: str) -> int:
        """Freeze the account of a link and return since when. Raises FreezeTokenRefusedError.

        A link that was used answers the same again for as long as the freeze holds, and never freezes anew.
        """
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                "SELECT user_id, expires_ms, used_ms FROM withdrawal_freeze_tokens "
                "WHERE token_hash = $1 FOR UPDATE",
                token_hash,
            )
            if row is None or row["expires_ms"] <= now_ms:
                raise FreezeTokenRefusedError
            user_id = row["user_id"]
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
            if row["used_ms"] is not None:
                frozen_ms = await connection.fetchval(
                    "SELECT frozen_ms FROM withdrawal_freezes WHERE user_id = $1 AND source = 'OWNER' "
                    f"AND {_HOLDS}",
                    user_id,
                    now_ms,
                )
                if frozen_ms is None:
                    raise FreezeTokenRefusedError
                return int(frozen_ms)
            await connection.execute(_FREEZE_BY_OWNER, user_id, now_ms)
            await connection.execute(
                "UPDATE withdrawal_freeze_tokens SET used_ms = $2 WHERE token_hash = $1", token_hash, now_ms
            )
            await audit_log.append(connection, Act("withdrawals-frozen", user_id, ip, now_ms, {"by": "link"}))
        return now_ms

    async def freeze_own(self, user_id: int, now_ms: int, ip: str) -> int:
        """Freeze by the owner's session; since when. A freeze that holds, and has no end, stays as it is."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
            frozen_ms = await connection.fetchval(
                "SELECT frozen_ms FROM withdrawal_freezes "
                "WHERE user_id = $1 AND source = 'OWNER' AND ends_ms IS NULL",
                user_id,
            )
            if frozen_ms is not None:
                return int(frozen_ms)
            await connection.execute(_FREEZE_BY_OWNER, user_id, now_ms)
            act = Act("withdrawals-frozen", user_id, ip, now_ms, {"by": "session"})
            await audit_log.append(connection, act)
        return now_ms

    async def end_later(self, user_id: int, now_ms: int, ends_ms: int, ip: str) -> int:
        """Let the owner's freeze end at `ends_ms`, or when it was to end already; returns that moment.

        Raises NotFrozenError.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
            row = await connection.fetchrow(
                "SELECT ends_ms FROM withdrawal_freezes WHERE user_id = $1 AND source = 'OWNER' "
                f"AND {_HOLDS}",
                user_id,
                now_ms,
            )
            if row is None:
                raise NotFrozenError
            if row["ends_ms"] is not None:
                return int(row["ends_ms"])
            await connection.execute(
                "UPDATE withdrawal_freezes SET ends_ms = $2 WHERE user_id = $1 AND source = 'OWNER'",
                user_id,
                ends_ms,
            )
            act = Act("withdrawals-unfreeze-asked", user_id, ip, now_ms, {"ends_ms": ends_ms})
            await audit_log.append(connection, act)
        return ends_ms

    async def of_user(self, user_id: int, now_ms: int) -> list[Freeze]:
        """What holds now."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT source, frozen_ms, ends_ms FROM withdrawal_freezes "
                f"WHERE user_id = $1 AND {_HOLDS} ORDER BY source",
                user_id,
                now_ms,
            )
        return [Freeze(row["source"], row["frozen_ms"], row["ends_ms"]) for row in rows]
