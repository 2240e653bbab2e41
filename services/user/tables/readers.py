"""Who a token's account is, by reading alone: for what answers from a copy of the database."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import orjson

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["Reader", "account_of", "login_hash_of"]


def login_hash_of(issuer: str, subject: str, login: str) -> str:
    """What a log-in at an issuer is known by here, in hex. `login`: the claim `origin_jti`, else `jti`."""
    return hashlib.sha256(orjson.dumps([issuer, subject, login])).hexdigest()


class Reader(NamedTuple):
    """Whose account is read, and up to when the ledger of this database goes, in milliseconds."""

    user_id: int
    email: str
    as_of_ms: int


async def account_of(
    connection: "PoolConnectionProxy[asyncpg.Record]", issuer: str, subject: str, login_hash: bytes
) -> Reader | None:
    """The account that an identity opens, by reading alone; None for none, or when the log-in was ended."""
    row = await connection.fetchrow(
        "SELECT u.user_id, u.email, (SELECT coalesce(max(updated_ms), 0) FROM positions) AS as_of_ms "
        "FROM identities i JOIN users u ON u.user_id = i.user_id WHERE i.issuer = $1 AND i.subject = $2 "
        "AND NOT EXISTS (SELECT FROM outside_logins o WHERE o.login_hash = $3 AND o.ended_ms IS NOT NULL)",
        *(issuer, subject, login_hash),
    )
    return None if row is None else Reader(int(row["user_id"]), row["email"], int(row["as_of_ms"]))
