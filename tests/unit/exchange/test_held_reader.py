"""Promises of exchange/log/held_reader.py: one reader at a time, and nobody waits for one that hangs."""

import asyncio

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.log.held_reader import HeldReader
from exchange.ports.world import LogError, LogReader, LogRecord


class WatchedLog(MemoryLog):
    """Counts its open readers, whose closing fails as `closing` says."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.open_readers = 0
        self.closing: Exception | None = None
        self.hangs = False

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        if self.hangs:
            await asyncio.Event().wait()
        self.open_readers += 1
        return WatchedReader(self, await super().reader(offset, gather_ms))


class WatchedReader:
    def __init__(self, owner: WatchedLog, reader: LogReader) -> None:
        self._owner, self._reader = owner, reader

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        return await self._reader.read(timeout_ms)

    async def close(self) -> None:
        if self._owner.hangs:
            await asyncio.Event().wait()
        self._owner.open_readers -= 1
        if self._owner.closing is not None:
            raise self._owner.closing


async def test_opening_goes_on_elsewhere_and_lets_go_of_the_reader_before() -> None:
    log = WatchedLog()
    writer = await log.writer()
    for value in (b"a", b"b"):
        await writer.append(value)
    reader = HeldReader("test", log, 5_000)
    for offset, values in ((0, [b"a", b"b"]), (1, [b"b"])):
        await reader.open(offset)
        assert (reader.is_open, log.open_readers) == (True, 1)
        assert [record.value for record in await reader.read(100)] == values
    for _ in range(2):
        await reader.close()
        assert (reader.is_open, log.open_readers) == (False, 0)


@pytest.mark.parametrize("closing", [LogError("away"), OSError("away"), TimeoutError("away")])
async def test_reader_that_fails_to_close_is_forgotten(closing: Exception) -> None:
    log = WatchedLog()
    log.closing = closing
    reader = HeldReader("test", log, 5_000)
    await reader.open(0)
    await reader.close()
    assert not reader.is_open


async def test_log_that_hangs_is_waited_for_no_longer_than_the_deadline() -> None:
    log = WatchedLog()
    reader = HeldReader("test", log, 10)
    await reader.open(0)
    log.hangs = True
    with pytest.raises(TimeoutError):
        await reader.open(0)
    assert not reader.is_open
