"""Accounts and their API keys in PostgreSQL; a change and its audit entry happen together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["AccountStore", "EmailTakenError", "NewApiKey", "TooManyKeysError", "User"]


class EmailTakenError(Exception):
    """Another account has this address."""


class TooManyKeysError(Exception):
    """The account has as many keys as it may have."""


class User(NamedTuple):
    """An account. `password_hash` None: an outside sign-in opened it."""

    user_id: int
    email: str
    password_hash: str | None
    created_ms: int


class NewApiKey(NamedTuple):
    """A key as it is stored; `secret_encrypted` for HMAC, `public_key_pem` for ED25519 and RSA.

    `session_id`: the session that it ends with.
    """

    key_hash: bytes
    api_key: str
    user_id: int
    label: str
    permissions: Sequence[str]
    ip_allow_list: Sequence[str]
    kind: str
    secret_encrypted: bytes | None
    public_key_pem: str | None
    created_ms: int
    session_id: int | None = None


class AccountStore:
    """Users and keys. Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, email: str, password_hash: str, now_ms: int, ip: str) -> int:
        """Create an account and return its id. Raises EmailTakenError."""
        async with self._database.transaction() as connection:
            user_id = await connection.fetchval(
                "INSERT INTO users (email, password_hash, created_ms) VALUES ($1, $2, $3) "
                "ON CONFLICT (email) DO NOTHING RETURNING user_id",
                email,
                password_hash,
                now_ms,
            )
            if user_id is None:
                raise EmailTakenError(email)
            await audit_log.append(connection, Act("sign-up", user_id, ip, now_ms, {"email": email}))
        return int(user_id)

    async def user_by_email(self, email: str) -> User | None:
        """The account with this (lower-case) address."""
        return await self._user("email = $1", email)

    async def user_by_id(self, user_id: int) -> User | None:
        """The account with this id."""
        return await self._user("user_id = $1", user_id)

    async def _user(self, condition: str, value: str | int) -> User | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                f"SELECT user_id, email, password_hash, created_ms FROM users WHERE {condition}", value
            )
        return None if row is None else User(*row)

    async def add_api_key(self, key: NewApiKey, keys_max: int, ip: str) -> list[bytes]:
        """Store a key; the hashes of keys that it replaces. A session has one key at most.

        Raises TooManyKeysError when the account has `keys_max` already that hang on no session.
        """
        replaced: list[bytes] = []
        async with self._database.transaction() as connection:
            # The lock makes two requests count one after the other.
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", key.user_id)
            if key.session_id is not None:
                replaced = await _revoke_key_of_session(connection, key.session_id, key.created_ms)
            else:
                count = await connection.fetchval(
                    "SELECT count(*) FROM api_keys "
                    "WHERE user_id = $1 AND revoked_ms IS NULL AND session_id IS NULL",
                    key.user_id,
                )
                if count >= keys_max:
                    raise TooManyKeysError(f"{count} keys")
            await connection.execute(
                "INSERT INTO api_keys (key_hash, api_key, user_id, label, permissions, ip_allow_list, kind, "
                "secret_encrypted, public_key_pem, created_ms, session_id) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                *key,
            )
            detail = {
                "key_hash": key.key_hash.hex(),
                "kind": key.kind,
                "permissions": list(key.permissions),
                "ip_allow_list": list(key.ip_allow_list),
            }
            # No notice of a session's own key: the notice of the sign-in has told of it.
            act = "key-made" if key.session_id is None else "session-key-made"
            await audit_log.append(connection, Act(act, key.user_id, ip, key.created_ms, detail))
        return replaced

    async def api_keys_of(self, user_id: int, keys_max: int) -> list[asyncpg.Record]:
        """Keys that are not revoked, nor over with their session.

        api_key, label, permissions, ip_allow_list, kind, created_ms, last_used_ms, session_id.
        """
        async with self._database.connection() as connection:
            return await connection.fetch(
                "SELECT api_key, label, permissions, ip_allow_list, kind, created_ms, last_used_ms, "
                "session_id FROM api_keys WHERE user_id = $1 AND revoked_ms IS NULL "
                "AND (session_id IS NULL OR EXISTS (SELECT 1 FROM login_sessions s "
                "WHERE s.session_id = api_keys.session_id AND s.ended_ms IS NULL)) "
                "ORDER BY created_ms, api_key LIMIT $2",
                user_id,
                keys_max,
            )

    async def revoke_api_key(self, user_id: int, key_hash: bytes, now_ms: int, ip: str) -> bool:
        """Revoke a key for good; False when the user has no such key."""
        async with self._database.transaction() as connection:
            changed = await connection.fetchval(
                "UPDATE api_keys SET revoked_ms = $3 "
                "WHERE key_hash = $1 AND user_id = $2 AND revoked_ms IS NULL RETURNING true",
                key_hash,
                user_id,
                now_ms,
            )
            if changed:
                detail = {"key_hash": key_hash.hex()}
                await audit_log.append(connection, Act("key-revoked", user_id, ip, now_ms, detail))
        return bool(changed)

    async def acts_of(self, user_id: int, before_id: int, limit: int) -> list[asyncpg.Record]:
        """Lines of the audit log: id, time_ms, ip, act; the newest first."""
        async with self._database.connection() as connection:
            return await connection.fetch(
                "SELECT id, time_ms, ip, act FROM audit_log WHERE user_id = $1 AND id < $2 "
                "ORDER BY user_id DESC, id DESC LIMIT $3",
                user_id,
                before_id,
                limit,
            )

    async def record(self, act: Act) -> None:
        """Write down an act that changes nothing in this database."""
        async with self._database.transaction() as connection:
            await audit_log.append(connection, act)


async def _revoke_key_of_session(
    connection: "PoolConnectionProxy[asyncpg.Record]", session_id: int, now_ms: int
) -> list[bytes]:
    rows = await connection.fetch(
        "UPDATE api_keys SET revoked_ms = $2 WHERE session_id = $1 AND revoked_ms IS NULL RETURNING key_hash",
        session_id,
        now_ms,
    )
    return [row["key_hash"] for row in rows]
