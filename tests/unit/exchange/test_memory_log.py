"""Promises of exchange/adapters/memory/log.py."""

import asyncio

from exchange.adapters.memory.log import MemoryLog


async def test_empty_log_has_no_records() -> None:
    log = MemoryLog(lambda: 5)
    assert await log.end_offset() == 0
    assert await log.last() is None
    assert await (await log.reader(0)).read(1) == []


async def test_records_come_back_in_order_with_gapless_offsets_and_the_logs_stamp() -> None:
    now = iter((5, 6, 7))
    log = MemoryLog(lambda: next(now))
    writer = await log.writer()
    assert [await writer.append(value) for value in (b"a", b"b", b"c")] == [0, 1, 2]
    assert [tuple(r) for r in await (await log.reader(0)).read(1)] == [
        (0, 5, b"a"),
        (1, 6, b"b"),
        (2, 7, b"c"),
    ]
    last = await log.last()
    assert last is not None
    assert last.offset == 2


async def test_reader_starts_where_it_was_opened_and_waits_for_more() -> None:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    await writer.append(b"a")
    reader = await log.reader(1)
    reading = asyncio.create_task(reader.read(5_000))
    await asyncio.sleep(0)
    await writer.append(b"b")
    assert [r.value for r in await reading] == [b"b"]


async def test_two_readers_see_everything() -> None:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for number in range(1_200):
        await writer.append(str(number).encode())
    for reader in (await log.reader(0), await log.reader(0)):
        found: list[bytes] = []
        while batch := await reader.read(1):
            found += [r.value for r in batch]
        assert found == [str(n).encode() for n in range(1_200)]
