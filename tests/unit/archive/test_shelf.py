"""Promises of exchange/log/shelf.py: segments come in order, and one is fetched ahead."""

import asyncio
from contextlib import aclosing

import pytest

from exchange.log.segments import ArchiveError, Segment
from exchange.log.shelf import Shelf
from exchange.ports.world import LogRecord

RECORDS = 5


class Watched:
    """An object store in memory that notes what is asked for; a test may let the bodies wait."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        await self.goes_on.wait()
        return self.kept.get(key)

    async def put(self, key: str, body: bytes) -> bool:
        return self.kept.setdefault(key, body) is body

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.kept if key.startswith(prefix))

    async def delete(self, key: str) -> None:
        self.kept.pop(key, None)


async def filled(count: int) -> Watched:
    store = Watched()
    for first in range(0, count * RECORDS, RECORDS):
        records = [LogRecord(offset, offset, b"%d" % offset) for offset in range(first, first + RECORDS)]
        assert await Shelf(store, 0, "events").add(Segment("events", records))
    return store


async def test_one_segment_is_fetched_ahead_and_no_more() -> None:
    store = await filled(4)
    seen: list[int] = []
    async for segment in Shelf(store, 0, "events").segments():
        seen += [record.offset for record in segment.records]
        place = len(seen) // RECORDS
        while len(store.asked) < min(place + 1, 4):
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert len(store.asked) == min(place + 1, 4)
    assert seen == list(range(4 * RECORDS))


async def test_who_stops_early_leaves_nothing_behind() -> None:
    store = await filled(3)
    async with aclosing(Shelf(store, 0, "events").segments()) as segments:
        await anext(segments)
        store.goes_on.clear()
    assert len(asyncio.all_tasks()) == 1


async def test_damage_is_told_after_what_came_before_it() -> None:
    store = await filled(3)
    key = sorted(store.kept)[1]
    store.kept[key] = b"damaged"
    seen: list[int] = []

    async def look() -> None:
        async for segment in Shelf(store, 0, "events").segments():
            seen.append(segment.next_offset)

    with pytest.raises(ArchiveError, match="damaged"):
        await look()
    assert seen == [RECORDS]
    assert len(asyncio.all_tasks()) == 1
