"""Which account an outside identity opens, in PostgreSQL; a change and its audit entry happen together."""

from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = [
    "Identity",
    "IdentityNotLinkedError",
    "IdentityStore",
    "IdentityTakenError",
    "IdentityUnknownError",
    "Login",
]

_FORGOTTEN_AT_ONCE_MAX: Final = 100


class IdentityUnknownError(Exception):
    """The identity opens no account, and its token has no verified address to open or link one with."""


class IdentityNotLinkedError(Exception):
    """Somebody opened an account for this address with a password: its owner must link the identity to it."""


class IdentityTakenError(Exception):
    """The identity opens another account already."""


class Identity(NamedTuple):
    """Somebody as an issuer knows him; `email` only when the issuer has verified it."""

    issuer: str
    subject: str
    email: str | None


class Login(NamedTuple):
    """A log-in at an issuer. `login_hash`: 32 bytes. No token of it is good after `forget_ms`."""

    login_hash: bytes
    forget_ms: int


class IdentityStore:
    """Identities and their log-ins. Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database, *, link_by_email: bool) -> None:
        self._database = database
        self._link_by_email = link_by_email

    async def log_in(self, identity: Identity, login: Login, now_ms: int, ip: str) -> int | None:
        """The account that the identity opens, made or linked at first sight; None when the log-in was ended.

        Raises IdentityUnknownError, IdentityNotLinkedError.
        """
        async with self._database.transaction() as connection:
            user_id = await _owner(connection, identity)
            if user_id is None:
                user_id = await self._first_sight(connection, identity, now_ms, ip)
            is_new = await connection.fetchval(
                "INSERT INTO outside_logins (login_hash, user_id, begun_ms, forget_ms) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (login_hash) DO NOTHING RETURNING true",
                *(login.login_hash, user_id, now_ms, login.forget_ms),
            )
            if is_new:
                act = Act("log-in", user_id, ip, now_ms, _detail(identity))
                await audit_log.append(connection, act)
                await _forget(connection, now_ms)
                return user_id
            has_ended = await connection.fetchval(
                "UPDATE outside_logins SET forget_ms = greatest(forget_ms, $2) "
                "WHERE login_hash = $1 RETURNING ended_ms IS NOT NULL",
                *login,
            )
            return None if has_ended else user_id

    async def _first_sight(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", identity: Identity, now_ms: int, ip: str
    ) -> int:
        if identity.email is None:
            raise IdentityUnknownError
        made = await connection.fetchval(
            "INSERT INTO users (email, password_hash, created_ms) VALUES ($1, NULL, $2) "
            "ON CONFLICT (email) DO NOTHING RETURNING user_id",
            identity.email,
            now_ms,
        )
        if made is not None:
            await audit_log.append(connection, Act("sign-up", made, ip, now_ms, _detail(identity)))
            return await _link(connection, identity, int(made), now_ms, ip)
        account = await connection.fetchrow(
            "SELECT user_id, password_hash IS NULL OR EXISTS ("
            "SELECT 1 FROM identities i WHERE i.user_id = u.user_id AND i.email = u.email) AS is_proven "
            "FROM users u WHERE email = $1",
            identity.email,
        )
        assert account is not None, "accounts are never removed"
        if not account["is_proven"] and not self._link_by_email:
            raise IdentityNotLinkedError
        return await _link(connection, identity, int(account["user_id"]), now_ms, ip)

    async def link(self, identity: Identity, user_id: int, now_ms: int, ip: str) -> None:
        """Let the identity open this account, whose address the issuer must have verified.

        Raises IdentityTakenError, IdentityUnknownError.
        """
        async with self._database.transaction() as connection:
            email = await connection.fetchval("SELECT email FROM users WHERE user_id = $1", user_id)
            owner = await _owner(connection, identity)
            if owner is None:
                if identity.email is None or identity.email != email:
                    raise IdentityUnknownError
                owner = await _link(connection, identity, user_id, now_ms, ip)
            if owner != user_id:
                raise IdentityTakenError

    async def end(self, login_hash: bytes, user_id: int, now_ms: int, ip: str) -> None:
        """Refuse the log-in from now on, also when the cache has lost its data."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE outside_logins SET ended_ms = coalesce(ended_ms, $2) WHERE login_hash = $1",
                login_hash,
                now_ms,
            )
            await audit_log.append(connection, Act("log-out", user_id, ip, now_ms, {}))


async def _owner(connection: "PoolConnectionProxy[asyncpg.Record]", identity: Identity) -> int | None:
    found = await connection.fetchval(
        "SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2", identity.issuer, identity.subject
    )
    return None if found is None else int(found)


async def _link(
    connection: "PoolConnectionProxy[asyncpg.Record]",
    identity: Identity,
    user_id: int,
    now_ms: int,
    ip: str,
) -> int:
    """Return whose the identity is from now on: of whoever was quicker."""
    is_new = await connection.fetchval(
        "INSERT INTO identities (issuer, subject, user_id, email, created_ms) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (issuer, subject) DO NOTHING RETURNING true",
        *(identity.issuer, identity.subject, user_id, identity.email, now_ms),
    )
    if is_new:
        await audit_log.append(connection, Act("identity-linked", user_id, ip, now_ms, _detail(identity)))
        return user_id
    owner = await _owner(connection, identity)
    assert owner is not None, "identities are never removed"
    return owner


async def _forget(connection: "PoolConnectionProxy[asyncpg.Record]", now_ms: int) -> None:
    """Drop some log-ins that no token can belong to any more: as many go as come, and more."""
    await connection.execute(
        "DELETE FROM outside_logins WHERE login_hash IN ("
        "SELECT login_hash FROM outside_logins WHERE forget_ms < $1 ORDER BY forget_ms "
        "LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now_ms,
        _FORGOTTEN_AT_ONCE_MAX,
    )


def _detail(identity: Identity) -> dict[str, object]:
    return {"issuer": identity.issuer, "subject": identity.subject, "email": identity.email}
