"""What most tests of processes begin with: resources over real servers, components at work, and waiting."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.wall_clock import clock_ms
from services.migrations import migrate

WAIT_S = 60.0
POLL_S = 0.005
# What a test gives to servers that it does not try to be slow. On a full machine production's seconds pass:
# a connection is given up and made anew, a call is sent twice, and the test is another one than it says.
PATIENT: Final[Mapping[str, Any]] = {
    "cache_deadline_ms": 60_000,
    "database_deadline_ms": 60_000,
    "kms_deadline_ms": 60_000,
    "log_deadline_ms": 60_000,
    "notices_deadline_ms": 60_000,
}


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition. Raises TimeoutError after WAIT_S."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(POLL_S)


async def settle() -> None:
    """Let everything happen that needs no time, however slow the machine is."""
    for _ in range(50):
        await asyncio.sleep(0)


@asynccontextmanager
async def open_resources(
    settings: Settings, clock_ms: Callable[[], int] = clock_ms, wrapper: FileKeyWrapper | None = None
) -> AsyncIterator[Resources]:
    """Real database, migrated, and cache; logs in memory, whose records get their times from `clock_ms`."""
    database, cache = await open_pool(settings), open_cache(settings)
    try:
        async with database.acquire() as connection:
            await migrate(connection)
        yield Resources(settings, MemoryLog(clock_ms), MemoryLog(clock_ms), database, cache, wrapper)
    finally:
        await cache.aclose()
        await close_pool(database, 5_000)


@asynccontextmanager
async def running(*components: Component, stopped_in_order: bool = True) -> AsyncIterator[None]:
    """Components at work; what one of them ended with is raised at the end."""
    tasks = []
    for component in components:
        await component.start()
        tasks.append(asyncio.create_task(component.run(), name=component.name))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for component in components if stopped_in_order else ():
            await component.stop()
