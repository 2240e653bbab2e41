"""Accounts and their API keys in PostgreSQL; a change and its audit entry happen together."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

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
    """A key as it is stored; `secret_encrypted` for HMAC, `public_key_pem` for ED25519 and RSA."""

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

    async def add_api_key(self, key: NewApiKey, keys_max: int, ip: str) -> None:
        """Store a key. Raises TooManyKeysError when the account has `keys_max` already."""
        async with self._database.transaction() as connection:
            # The lock makes two requests count one after the other.
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", key.user_id)
            count = await connection.fetchval(
                "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_ms IS NULL", key.user_id
            )
            if count >= keys_max:
                raise TooManyKeysError(f"{count} keys")
            await connection.execute(
                "INSERT INTO api_keys (key_hash, api_key, user_id, label, permissions, ip_allow_list, kind, "
                "secret_encrypted, public_key_pem, created_ms) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                *key,
            )
            detail = {
                "key_hash": key.key_hash.hex(),
                "kind": key.kind,
                "permissions": list(key.permissions),
                "ip_allow_list": list(key.ip_allow_list),
            }
            await audit_log.append(connection, Act("key-made", key.user_id, ip, key.created_ms, detail))

    async def api_keys_of(self, user_id: int, keys_max: int) -> list[asyncpg.Record]:
        """Keys that are not revoked: api_key, label, permissions, ip_allow_list, kind, created_ms."""
        async with self._database.connection() as connection:
            return await connection.fetch(
                "SELECT api_key, label, permissions, ip_allow_list, kind, created_ms FROM api_keys "
                "WHERE user_id = $1 AND revoked_ms IS NULL ORDER BY created_ms, api_key LIMIT $2",
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

    async def record(self, act: Act) -> None:
        """Write down an act that changes nothing in this database."""
        async with self._database.transaction() as connection:
            await audit_log.append(connection, act)
