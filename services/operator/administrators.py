"""Who may give orders over HTTP: names, roles, and hashes of tokens, in PostgreSQL."""

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.security.one_time_codes import authenticator_uri, new_secret
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = ["ROLES", "Administrator", "add", "find", "lines", "new_factor", "new_token", "revoke"]

ADMIN: Final = "ADMIN"
ROLES: Final = (ADMIN, "VIEWER")
ADMINISTRATORS_MAX: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TOKEN_SIZE_BYTES: Final = 32


class Administrator(NamedTuple):
    """Who knocks, and what he may do: VIEWER looks, ADMIN orders."""

    name: str
    role: str


def new_factor(name: str) -> tuple[str, str]:
    """A secret for somebody's authenticator, in Base32, and the address that authenticators read."""
    secret = new_secret()
    return base64.b32encode(secret).decode(), authenticator_uri(secret, f"operator {name}")


def new_token() -> tuple[str, str]:
    """A token for somebody, and its hash as AddAdministrator wants it."""
    token = secrets.token_urlsafe(_TOKEN_SIZE_BYTES)
    return token, _hash(token).hex()


async def add(connection: "Connection", name: str, role: str, token_hash: str, now_ms: int) -> None:
    """Let somebody in. Raises OrderError."""
    if not _NAME.fullmatch(name):
        raise OrderError("a name is 1 to 64 small letters, digits, dots, dashes")
    if role not in ROLES:
        raise OrderError(f"{role} is none of {', '.join(ROLES)}")
    if await connection.fetchval("SELECT count(*) FROM administrators") >= ADMINISTRATORS_MAX:
        raise OrderError(f"there are {ADMINISTRATORS_MAX} already")
    if not re.fullmatch("[0-9a-f]{64}", token_hash):
        raise OrderError("the hash of a token is 64 hexadecimal digits")
    made = await connection.fetchval(
        "INSERT INTO administrators (name, role, token_hash, created_ms) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (name) DO NOTHING RETURNING name",
        *(name, role, bytes.fromhex(token_hash), now_ms),
    )
    if made is None:
        raise OrderError(f"{name} is taken for good: the audit log speaks of him")


async def revoke(connection: "Connection", name: str, now_ms: int) -> None:
    """He is not let in any more, from his next request on. Raises OrderError."""
    done = await connection.fetchval(
        "UPDATE administrators SET revoked_ms = $2 WHERE name = $1 AND revoked_ms IS NULL RETURNING name",
        *(name, now_ms),
    )
    if done is None:
        raise OrderError(f"nobody of the name {name} is let in")


async def lines(connection: "Connection") -> list[str]:
    """Everybody who is let in."""
    rows = await connection.fetch(
        "SELECT name, role FROM administrators WHERE revoked_ms IS NULL ORDER BY name LIMIT $1",
        ADMINISTRATORS_MAX,
    )
    return [f"{row['name']}: {row['role']}" for row in rows] or ["nobody is let in"]


async def find(connection: "Connection", token: str) -> Administrator | None:
    """Whose token this is; None for nobody's."""
    if not _TOKEN.fullmatch(token):
        return None
    row = await connection.fetchrow(
        "SELECT name, role FROM administrators WHERE token_hash = $1 AND revoked_ms IS NULL", _hash(token)
    )
    return None if row is None else Administrator(row["name"], row["role"])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
