"""The archived segments of one log: find the newest, read them in order, add one behind them."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator

from exchange.log.segments import ArchiveError, Segment, first_offset_of, pack, segment_name, unpack
from exchange.ports.object_keys import archive_prefix
from exchange.ports.world import ObjectStore

__all__ = ["LOGS", "Shelf"]

LOGS = ("commands", "events")


class Shelf:
    """The segments of `log` (one of LOGS). All that is known is read from the store's keys and bodies."""

    def __init__(self, store: ObjectStore, shard: int, log: str) -> None:
        self._store = store
        self._log = log
        self._prefix = archive_prefix(shard, log)
        # As last seen: they only ever grow.
        self._keys: list[str] = []

    async def newest(self) -> Segment | None:
        """The last segment, None of an empty archive. Raises ObjectStoreError, ArchiveError."""
        keys = await self._store.keys(self._prefix)
        return await self._read(keys[-1]) if keys else None

    async def add(self, segment: Segment) -> bool:
        """Keep a segment; False when its first offset is archived already. Raises ObjectStoreError."""
        body = await asyncio.to_thread(pack, segment)
        return await self._store.put(self._prefix + segment_name(segment.records[0].offset), body)

    async def holding(self, offset: int) -> Segment | None:
        """The segment with the record `offset`, None while it is not archived.

        Raises ObjectStoreError, ArchiveError.
        """
        for is_fresh in (False, True):
            if is_fresh:
                self._keys = await self._store.keys(self._prefix)
            firsts = [first_offset_of(key) for key in self._keys]
            slot = bisect_right(firsts, offset) - 1
            if slot >= 0:
                segment = await self._read(self._keys[slot])
                if offset < segment.next_offset:
                    return segment
                if slot + 1 < len(firsts):
                    raise ArchiveError(f"{self._log}: offset {offset} lies in a gap of the archive")
        return None

    async def first_offset(self) -> int | None:
        """Where the archive begins, None of an empty one. Raises ObjectStoreError, ArchiveError."""
        keys = await self._store.keys(self._prefix)
        return first_offset_of(keys[0]) if keys else None

    async def segments(self) -> AsyncGenerator[Segment, None]:
        """Every segment from offset 0 on. Raises ObjectStoreError, and ArchiveError on a gap or damage.

        While the caller is at work with one, the next is fetched and unpacked, and no more than that.
        """
        next_offset = 0
        keys = await self._store.keys(self._prefix)
        ahead: asyncio.Task[Segment] | None = None
        try:
            for following, key in enumerate(keys, 1):
                segment = await (ahead or self._read(key))
                ahead = None
                if segment.records[0].offset != next_offset:
                    raise ArchiveError(
                        f"{self._log}: expected offset {next_offset}, the next segment begins at "
                        f"{segment.records[0].offset}"
                    )
                next_offset = segment.next_offset
                if following < len(keys):
                    ahead = asyncio.create_task(self._read(keys[following]))
                yield segment
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _read(self, key: str) -> Segment:
        body = await self._store.get(key)
        if body is None:
            raise ArchiveError(f"{key} was listed, but is gone")
        return await asyncio.to_thread(unpack, body, self._log, first_offset_of(key))
