"""Tokens with which a process proves its IAM role to RDS or Aurora, in place of a password.

A token is a signed request: it is made here, without a question to AWS, names host, port and user, and opens
connections for fifteen minutes; what is open stays open.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.Connecting.html
"""

import asyncio
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from exchange.adapters.aws.session import region

__all__ = ["TokenError", "rds_token"]

_POSTGRES_PORT: Final = 5432


class TokenError(ConnectionError):
    """No token could be made: the process knows no region, or has no credentials (yet)."""


async def rds_token(dsn: str) -> str:
    """A token for the host, port and user that `dsn` names. Raises TokenError, a ConnectionError.

    Made for each connection anew: Pod Identity renews the credentials that it is signed with.
    """
    parts = urlsplit(dsn)
    host, port, user = parts.hostname or "", parts.port or _POSTGRES_PORT, unquote(parts.username or "")
    # The credentials may have to be fetched, and boto3 blocks.
    return await asyncio.to_thread(_sign, host, port, user)


def _sign(host: str, port: int, user: str) -> str:
    try:
        return str(_client().generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))
    except BotoCoreError as error:
        raise TokenError(f"no token for the database: {error}") from error


@cache
def _client() -> Any:
    session = boto3.Session()
    # The default session is not made to be shared by threads; a client is.
    return session.client("rds", region_name=region(), config=Config())
