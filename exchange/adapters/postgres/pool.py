"""PostgreSQL: one pool a process, one connection a command, with a deadline on every wait.

After a failover (Aurora) a pool may hold dead sockets or connections to what is now a reader:
connections are asked to be read-write and idle ones are closed soon; `process.connections.acquire` retires
all on a read-only answer.
"""

import asyncio
from typing import Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from exchange.adapters.postgres.login_watch import LoginWatch
from exchange.process.config import Settings

__all__ = ["close_pool", "open_connection", "open_keys_pool", "open_pool", "open_reader_pool"]

# A look-up takes a millisecond, and most keys are remembered.
_KEYS_CONNECTIONS: Final = 2
_IDLE_LIFETIME_S: Final = 30.0


async def open_pool(settings: Settings, logins: LoginWatch | None = None) -> "asyncpg.Pool[asyncpg.Record]":
    """Connect and return the pool.

    Raises one of `exchange.process.connections.CONNECTION_ERRORS` when the server is away.
    """
    return await _open_writing_pool(settings, logins, 1, settings.database_pool_size)


async def open_keys_pool(
    settings: Settings, logins: LoginWatch | None = None
) -> "asyncpg.Pool[asyncpg.Record]":
    """A few connections beside the pool, for look-ups of API keys alone. Connects on use."""
    return await _open_writing_pool(settings, logins, 0, _KEYS_CONNECTIONS)


async def _open_writing_pool(
    settings: Settings, logins: LoginWatch | None, size_min: int, size_max: int
) -> "asyncpg.Pool[asyncpg.Record]":
    deadline_s = settings.database_deadline_ms / 1000
    async with asyncio.timeout(deadline_s * 2):
        return await asyncpg.create_pool(
            settings.database_dsn.get_secret_value(),
            min_size=size_min,
            max_size=size_max,
            max_inactive_connection_lifetime=_IDLE_LIFETIME_S,
            timeout=deadline_s,
            command_timeout=deadline_s,
            target_session_attrs=SessionAttribute.read_write,
            connect=_connecting(settings, "database_dsn", logins),
            server_settings={"application_name": "exchange", "timezone": "UTC"},
        )


async def open_connection(
    settings: Settings, *, statement_deadline_s: float, writes: bool
) -> "asyncpg.Connection[asyncpg.Record]":
    """The connection of a command, which ends with it; with login or token as the pools have them.

    `writes`: a standby is not enough. Raises one of `exchange.process.connections.CONNECTION_ERRORS`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await _connecting(settings, "database_dsn", None)(
        "",
        timeout=settings.database_deadline_ms / 1000,
        command_timeout=statement_deadline_s,
        target_session_attrs=SessionAttribute.read_write if writes else SessionAttribute.any,
        server_settings={"application_name": "exchange-command", "timezone": "UTC"},
    )
    return connection


def _connecting(settings: Settings, name: str, logins: LoginWatch | None) -> Any:
    """How a pool makes a connection: with the login as it is then, which may not be that of the start."""
    connect: Any = asyncpg.connect if logins is None else logins.connect

    async def with_the_login_of_now(_dsn: str, **options: Any) -> Any:
        dsn = settings.login(name)
        if settings.database_tokens:
            # boto3 takes a third of a second to import: only where there is a role to prove.
            from exchange.adapters.aws.rds_token import rds_token

            options["password"] = await rds_token(dsn)
        return await connect(dsn, **options)

    return with_the_login_of_now


async def open_reader_pool(
    settings: Settings, logins: LoginWatch | None = None
) -> "asyncpg.Pool[asyncpg.Record] | None":
    """The pool for reads that may be a moment old, None without a reader. Connects on use: nobody waits here.

    Its transactions are read-only, whatever the address leads to: Aurora's reader endpoint is the writer's
    while there is no reader.
    """
    dsn = settings.database_reader_dsn.get_secret_value()
    if not dsn:
        return None
    deadline_s = settings.database_deadline_ms / 1000
    return await asyncpg.create_pool(
        dsn,
        connect=_connecting(settings, "database_reader_dsn", logins),
        min_size=0,
        max_size=settings.database_pool_size,
        max_inactive_connection_lifetime=_IDLE_LIFETIME_S,
        timeout=deadline_s,
        command_timeout=deadline_s,
        server_settings={
            "application_name": "exchange-reader",
            "timezone": "UTC",
            "default_transaction_read_only": "on",
        },
    )


async def close_pool(pool: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
    """Close in order; after `deadline_ms` drop the connections."""
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await pool.close()
    except TimeoutError:
        pool.terminate()
