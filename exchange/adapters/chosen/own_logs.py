"""The resources of a process that keeps the logs itself: on one machine, without Kafka."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.files.log import FileLog
from exchange.adapters.postgres.pool import close_pool, open_keys_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.ports.world import Log
from exchange.process.components import Resources
from exchange.process.config import Settings

__all__ = ["file_logs", "folder_of_log", "own_log_resources"]


def folder_of_log(settings: Settings, name: str) -> Path:
    """The folder of one of the logs: "commands" or "events"."""
    return settings.data_dir / "log" / f"{name}.log"


@contextlib.asynccontextmanager
async def file_logs(settings: Settings) -> AsyncIterator[tuple[FileLog, FileLog]]:
    """Commands and events in files, closed in reverse. Raises LogError, OSError."""
    async with contextlib.AsyncExitStack() as stack:
        command_log = await FileLog.open(folder_of_log(settings, "commands"), settings.log_deadline_ms)
        stack.push_async_callback(command_log.close)
        event_log = await FileLog.open(folder_of_log(settings, "events"), settings.log_deadline_ms)
        stack.push_async_callback(event_log.close)
        yield command_log, event_log


@contextlib.asynccontextmanager
async def own_log_resources(settings: Settings, command_log: Log, event_log: Log) -> AsyncIterator[Resources]:
    """Connect to the database and the cache; the logs stay open. Raises one of CONNECTION_ERRORS."""
    async with contextlib.AsyncExitStack() as stack:
        database = await open_pool(settings)
        stack.push_async_callback(close_pool, database, settings.database_deadline_ms)
        keys = await open_keys_pool(settings)
        stack.push_async_callback(close_pool, keys, settings.database_deadline_ms)
        cache = open_cache(settings)
        stack.push_async_callback(cache.aclose)
        wrapper = FileKeyWrapper(settings.secret_key_file)
        yield Resources(settings, command_log, event_log, database, cache, wrapper, database_keys=keys)
