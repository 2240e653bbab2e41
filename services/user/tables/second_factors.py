"""Second factors and links for passwords in PostgreSQL; a change and its audit entry happen together."""

from typing import NamedTuple

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

__all__ = ["Factor", "PasswordStore", "SecondFactorStore"]


class Factor(NamedTuple):
    """A second factor as it is stored."""

    secret_encrypted: bytes
    is_on: bool


class SecondFactorStore:
    """Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: int) -> Factor | None:
        """The account's factor, also one that is not confirmed yet."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT secret_encrypted, confirmed_ms IS NOT NULL FROM second_factors WHERE user_id = $1",
                user_id,
            )
        return None if row is None else Factor(*row)

    async def put(self, user_id: int, secret_encrypted: bytes, now_ms: int) -> bool:
        """Store a factor that is not confirmed yet, over one that never was; False when one is on."""
        async with self._database.connection() as connection:
            return bool(
                await connection.fetchval(
                    "INSERT INTO second_factors (user_id, secret_encrypted, made_ms) VALUES ($1, $2, $3) "
                    "ON CONFLICT (user_id) DO UPDATE SET secret_encrypted = excluded.secret_encrypted, "
                    "made_ms = excluded.made_ms, last_step = 0 WHERE second_factors.confirmed_ms IS NULL "
                    "RETURNING true",
                    *(user_id, secret_encrypted, now_ms),
                )
            )

    async def use_step(self, user_id: int, step: int) -> bool:
        """Take the code of a step; False when it, or a later one, was taken already."""
        async with self._database.connection() as connection:
            return bool(
                await connection.fetchval(
                    "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2 "
                    "RETURNING true",
                    *(user_id, step),
                )
            )

    async def confirm(self, act: Act) -> None:
        """The factor is on from now on."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE second_factors SET confirmed_ms = $2 WHERE user_id = $1 AND confirmed_ms IS NULL",
                *(act.user_id, act.time_ms),
            )
            await audit_log.append(connection, act)

    async def remove(self, act: Act) -> None:
        """The account has no factor any more."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM second_factors WHERE user_id = $1", act.user_id)
            await audit_log.append(connection, act)


class PasswordStore:
    """Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, password_hash: str, act: Act) -> None:
        """Set the password of the account of the act."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE users SET password_hash = $2 WHERE user_id = $1", act.user_id, password_hash
            )
            await audit_log.append(connection, act)

    async def owner_of_link(self, token_hash: bytes, now_ms: int) -> int | None:
        """Whose link it is; None when there is none, it is too old, or was used."""
        async with self._database.connection() as connection:
            user_id = await connection.fetchval(
                "SELECT user_id FROM password_reset_tokens "
                "WHERE token_hash = $1 AND expires_ms > $2 AND used_ms IS NULL",
                *(token_hash, now_ms),
            )
        return None if user_id is None else int(user_id)

    async def reset(self, token_hash: bytes, password_hash: str, freeze_ends_ms: int, act: Act) -> bool:
        """Set the password by a link, and hold withdrawals for a while; False when the link was used.

        All other links of the account end too.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", act.user_id)
            used = await connection.fetchval(
                "UPDATE password_reset_tokens SET used_ms = $2 "
                "WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 RETURNING true",
                *(token_hash, act.time_ms),
            )
            if not used:
                return False
            await connection.execute(
                "UPDATE password_reset_tokens SET used_ms = $2 WHERE user_id = $1 AND used_ms IS NULL",
                *(act.user_id, act.time_ms),
            )
            await connection.execute(
                "UPDATE users SET password_hash = $2 WHERE user_id = $1", act.user_id, password_hash
            )
            await connection.execute(
                # A freeze that its owner has pulled, and not ended, stays as it is.
                "INSERT INTO withdrawal_freezes AS f (user_id, source, frozen_ms, ends_ms) "
                "VALUES ($1, 'OWNER', $2, $3) ON CONFLICT (user_id, source) DO UPDATE "
                "SET frozen_ms = excluded.frozen_ms, ends_ms = excluded.ends_ms "
                "WHERE f.ends_ms IS NOT NULL AND f.ends_ms < excluded.ends_ms",
                *(act.user_id, act.time_ms, freeze_ends_ms),
            )
            await audit_log.append(connection, act)
        return True
