"""The resources of a deployed process: Kafka, PostgreSQL and Redis, opened and closed together."""

import contextlib
from collections.abc import AsyncIterator

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.kafka.log import shard_logs
from exchange.adapters.postgres.login_watch import LoginWatch
from exchange.adapters.postgres.pool import close_pool, open_keys_pool, open_pool, open_reader_pool
from exchange.adapters.redis.client import open_cache
from exchange.ports.world import KeyWrapper
from exchange.process.components import Resources
from exchange.process.config import Settings

__all__ = ["deployed_resources"]


@contextlib.asynccontextmanager
async def deployed_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Connect to the database (the others connect on use). Raises one of CONNECTION_ERRORS.

    The block is cancelled when the database does not take our password any more, and it stands in a variable:
    LoginRefusedError then.
    """
    # Logins from files are read anew for each connection, and so are tokens: an end would bring nothing.
    logins = LoginWatch(ends_process=settings.logins_dir is None and not settings.database_tokens)
    database = await open_pool(settings, logins)
    reader, keys = await open_reader_pool(settings, logins), await open_keys_pool(settings, logins)
    cache = open_cache(settings)
    try:
        async with logins.watched():
            yield Resources(
                settings,
                *shard_logs(settings),
                database,
                cache,
                _key_wrapper(settings),
                reader,
                keys,
            )
    finally:
        await cache.aclose()
        if reader is not None:
            await close_pool(reader, settings.database_deadline_ms)
        await close_pool(keys, settings.database_deadline_ms)
        await close_pool(database, settings.database_deadline_ms)


def _key_wrapper(settings: Settings) -> KeyWrapper:
    """The keeper of the key-encryption key; nothing is read or asked before its first use."""
    if settings.kms_key_id:
        # boto3 takes a third of a second to import, and a process that starts again is waited for.
        from exchange.adapters.aws.kms import KmsKeyWrapper

        return KmsKeyWrapper(settings.kms_key_id, settings.kms_deadline_ms)
    return FileKeyWrapper(settings.secret_key_file)
