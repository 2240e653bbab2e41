"""How an administrator shows who he is: his token and a code of his authenticator begin a session.

The secret is sealed in the table `administrator_factors`; of sessions only hashes are kept. A code is good
once, and a minute has six tries: six digits are few, also for somebody who has found a token.
"""

import base64
import binascii
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.security.key_ring import KeyRing
from exchange.security.one_time_codes import SECRET_SIZE_BYTES, steps_of_code
from services.operator.administrators import Administrator
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = [
    "SESSION_LIFETIME_MS",
    "CodeWrongError",
    "Session",
    "TooManyTriesError",
    "begin_session",
    "check_code",
    "end_session",
    "put_factor",
    "session_of",
]

# A page that somebody left open orders no longer than this.
SESSION_LIFETIME_MS: Final = 30 * 60_000
SESSIONS_MAX: Final = 10
TRIES_MAX: Final = 6
TRIES_WINDOW_MS: Final = 60_000
_TOKEN_SIZE_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TRY: Final = """
UPDATE administrator_factors SET
    tries = CASE WHEN tries_since_ms <= $2::bigint - $3::bigint THEN 1 ELSE tries + 1 END,
    tries_since_ms = CASE WHEN tries_since_ms <= $2::bigint - $3::bigint THEN $2 ELSE tries_since_ms END
WHERE name = $1 RETURNING secret_encrypted, tries
"""
_FORGET: Final = """
DELETE FROM administrator_sessions WHERE ends_ms <= $2 OR (name = $1 AND token_hash NOT IN (
    SELECT token_hash FROM administrator_sessions WHERE name = $1 ORDER BY begun_ms DESC LIMIT $3))
"""


class CodeWrongError(Exception):
    """The code is not one of now, was used already, or there is no factor to make one."""


class TooManyTriesError(Exception):
    """A minute has six tries."""


class Session(NamedTuple):
    """A session that has just begun: its token, told this once, and when it ends."""

    token: str
    ends_ms: int


async def put_factor(
    connection: "Connection", key_ring: KeyRing, name: str, secret_text: str, now_ms: int
) -> None:
    """Give somebody a secret, in Base32, in place of what he had; his sessions end.

    Raises OrderError, KeyRingError.
    """
    try:
        secret = base64.b32decode(secret_text)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != SECRET_SIZE_BYTES:
        raise OrderError(f"the secret of an authenticator is {SECRET_SIZE_BYTES} bytes in Base32")
    is_there = await connection.fetchval(
        "SELECT true FROM administrators WHERE name = $1 AND revoked_ms IS NULL FOR UPDATE", name
    )
    if not is_there:
        raise OrderError(f"nobody of the name {name} is let in")
    sealed = await key_ring.seal(secret, _place(name))
    await connection.execute(
        "INSERT INTO administrator_factors (name, secret_encrypted, made_ms) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET secret_encrypted = excluded.secret_encrypted, "
        "made_ms = excluded.made_ms, last_step = 0",
        *(name, sealed, now_ms),
    )
    await connection.execute("DELETE FROM administrator_sessions WHERE name = $1", name)


async def check_code(connection: "Connection", key_ring: KeyRing, name: str, code: str, now_ms: int) -> None:
    """Take a code. Not inside of a transaction that may be rolled back: a try must count.

    Raises CodeWrongError, TooManyTriesError, KeyRingError.
    """
    factor = await connection.fetchrow(_TRY, name, now_ms, TRIES_WINDOW_MS)
    if factor is None:
        raise CodeWrongError
    if factor["tries"] > TRIES_MAX:
        raise TooManyTriesError
    secret = await key_ring.open(factor["secret_encrypted"], _place(name))
    for step in steps_of_code(secret, code, now_ms):
        taken = await connection.fetchval(
            "UPDATE administrator_factors SET last_step = $2 WHERE name = $1 AND last_step < $2 "
            "RETURNING true",
            *(name, step),
        )
        if taken:
            return
    raise CodeWrongError


async def begin_session(connection: "Connection", name: str, now_ms: int) -> Session:
    """A session for somebody whose code was taken; beyond ten the oldest end."""
    token = secrets.token_urlsafe(_TOKEN_SIZE_BYTES)
    ends_ms = now_ms + SESSION_LIFETIME_MS
    await connection.execute(
        "INSERT INTO administrator_sessions (token_hash, name, begun_ms, ends_ms) VALUES ($1, $2, $3, $4)",
        *(_hash(token), name, now_ms, ends_ms),
    )
    await connection.execute(_FORGET, name, now_ms, SESSIONS_MAX)
    return Session(token, ends_ms)


async def session_of(connection: "Connection", token: str, now_ms: int) -> Administrator | None:
    """Whose session this is, if it lives and he is still let in."""
    if not _TOKEN.fullmatch(token):
        return None
    row = await connection.fetchrow(
        "SELECT name, role FROM administrator_sessions JOIN administrators USING (name) "
        "WHERE administrator_sessions.token_hash = $1 AND ends_ms > $2 AND revoked_ms IS NULL",
        *(_hash(token), now_ms),
    )
    return None if row is None else Administrator(row["name"], row["role"])


async def end_session(connection: "Connection", token: str) -> None:
    """It orders nothing any more."""
    await connection.execute("DELETE FROM administrator_sessions WHERE token_hash = $1", _hash(token))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii", "replace")).digest()


def _place(name: str) -> bytes:
    return b"administrator's second factor" + name.encode()
