"""The counts of `exchange.http.request_limits` of all processes together, by way of Redis.

Once a second each process adds what it has counted to hashes `usage:<limit>:<window>`, and learns the
sums, also of those who have asked others alone since: an address has one count, whatever service it asks. A
count may be lost, or added twice, when Redis is away: limits are no money. Meanwhile each process goes on by
its own counts.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from exchange.http.windows import Window
from exchange.process.connections import CACHE_ERRORS

if TYPE_CHECKING:
    import redis.asyncio

__all__ = ["UsageSharing"]

logger = logging.getLogger(__name__)
SHARE_EVERY_S: Final = 1.0
# In one pipeline. A window's table is bounded, and so is the number of pipelines.
_KEYS_MAX: Final = 1_000


class UsageSharing:
    """Run `run()` as a task beside what counts, or all of it as a component of the process."""

    name = "usage"

    def __init__(self, windows: Sequence[Window], cache: "redis.asyncio.Redis", deadline_ms: int) -> None:
        self._windows = windows
        self._cache = cache
        self._deadline_s = deadline_ms / 1000
        self._is_away = False

    async def start(self) -> None:
        """Nothing: what is counted before it runs is shared later."""

    async def stop(self) -> None:
        """Nothing: the cache is its owner's."""

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way: without the cache each process counts alone."""
        return {}

    async def run(self) -> None:
        """Share until cancelled."""
        while True:
            await asyncio.sleep(SHARE_EVERY_S)
            try:
                for window in self._windows:
                    await self._share(window)
            except CACHE_ERRORS as error:
                if not self._is_away:
                    logger.warning("limits are counted by each process alone: %r", error)
                self._is_away = True
            else:
                self._is_away = False

    async def _share(self, window: Window) -> None:
        number, counts = window.take_unshared(_KEYS_MAX)
        while counts:
            name = f"usage:{window.limit.name}:{number}"
            pipeline = self._cache.pipeline(transaction=False)
            for key, count in counts.items():
                pipeline.hincrby(name, key, count)
            # Twice the window, for clocks that differ.
            pipeline.pexpire(name, 2 * window.limit.length_ms)
            async with asyncio.timeout(self._deadline_s):
                *totals, _ = await pipeline.execute()
            window.learn(number, dict(zip(counts, totals, strict=True)))
            number, counts = window.take_unshared(_KEYS_MAX)
        await self._look_up(window)

    async def _look_up(self, window: Window) -> None:
        """Learn what others have counted meanwhile, for as many keys a second as fit one question."""
        number, keys = window.take_turns(_KEYS_MAX)
        if not keys:
            return
        async with asyncio.timeout(self._deadline_s):
            totals = await self._cache.hmget(f"usage:{window.limit.name}:{number}", keys)
        found = {key: int(total) for key, total in zip(keys, totals, strict=True) if total is not None}
        window.learn(number, found)
