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
# In one call. A window's table is bounded, and so is the number of calls.
_KEYS_MAX: Final = 1_000
# One command and one text back: a command and a reply for each name cost a client ten times as much.
_ADD: Final = """
local totals = {}
for i = 2, #ARGV, 2 do
    totals[#totals + 1] = string.format('%.0f', redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]))
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return table.concat(totals, ',')
"""


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
            # Kept for twice the window: another process's clock may still be in the window before.
            lifetime_ms = 2 * window.limit.length_ms
            async with asyncio.timeout(self._deadline_s):
                told: bytes = await self._cache.eval(
                    _ADD, 1, name, lifetime_ms, *(text for pair in counts.items() for text in pair)
                )
            window.learn(number, dict(zip(counts, map(int, told.split(b",")), strict=True)))
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
