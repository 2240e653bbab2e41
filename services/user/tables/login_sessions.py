"""Sessions in PostgreSQL: what their owner is shown of them, and the keys that end with them."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

__all__ = ["LoginSession", "LoginSessionStore", "OpenSession"]


class OpenSession(NamedTuple):
    """A session whose end nobody has written down: it may be over all the same."""

    session_id: int
    user_id: int
    token_hash: str


class LoginSession(NamedTuple):
    """What is written down at a log-in. Times in milliseconds since 1970."""

    token_hash: str
    user_id: int
    ip: str
    agent: str
    begun_ms: int
    expires_ms: int


class LoginSessionStore:
    """Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: LoginSession, act: Act) -> int:
        """Write a session and its log-in down; its id."""
        async with self._database.transaction() as connection:
            session_id = await connection.fetchval(
                "INSERT INTO login_sessions (token_hash, user_id, ip, agent, begun_ms, expires_ms) "
                "VALUES ($1, $2, $3, $4, $5, $6) RETURNING session_id",
                bytes.fromhex(session.token_hash),
                *session[1:],
            )
            await audit_log.append(connection, act)
        return int(session_id)

    async def id_of(self, user_id: int, token_hash: str) -> int | None:
        """The id of a session that has not ended; None where a release before this table opened it."""
        async with self._database.connection() as connection:
            session_id = await connection.fetchval(
                "SELECT session_id FROM login_sessions WHERE token_hash = $1 AND user_id = $2 "
                "AND ended_ms IS NULL",
                bytes.fromhex(token_hash),
                user_id,
            )
        return None if session_id is None else int(session_id)

    async def of_user(self, user_id: int, now_ms: int, rows_max: int) -> list[asyncpg.Record]:
        """The newest that have not ended: session_id, token_hash, ip, agent, begun_ms, expires_ms."""
        async with self._database.connection() as connection:
            return await connection.fetch(
                "SELECT session_id, encode(token_hash, 'hex') AS token_hash, ip, agent, begun_ms, expires_ms "
                "FROM login_sessions WHERE user_id = $1 AND ended_ms IS NULL AND expires_ms > $2 "
                "ORDER BY session_id DESC LIMIT $3",
                user_id,
                now_ms,
                rows_max,
            )

    async def open_after(self, session_id: int, begun_before_ms: int, rows_max: int) -> list[OpenSession]:
        """A page of all accounts' sessions that have not ended, by id, but for those that began just now."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT session_id, user_id, encode(token_hash, 'hex') FROM login_sessions "
                "WHERE ended_ms IS NULL AND session_id > $1 AND begun_ms < $2 ORDER BY session_id LIMIT $3",
                session_id,
                begun_before_ms,
                rows_max,
            )
        return [OpenSession(*row) for row in rows]

    async def end(
        self, user_id: int, token_hashes: Sequence[str], act: Act | None, now_ms: int
    ) -> list[bytes]:
        """Write the end of sessions down, and revoke their keys; the hashes of those keys."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "WITH ended AS (UPDATE login_sessions SET ended_ms = $3 "
                "  WHERE user_id = $1 AND token_hash = ANY($2::bytea[]) AND ended_ms IS NULL "
                "  RETURNING session_id) "
                "UPDATE api_keys SET revoked_ms = $3 FROM ended "
                "WHERE api_keys.session_id = ended.session_id AND revoked_ms IS NULL RETURNING key_hash",
                user_id,
                [bytes.fromhex(token_hash) for token_hash in token_hashes],
                now_ms,
            )
            if act is not None:
                await audit_log.append(connection, act)
        return [row["key_hash"] for row in rows]
