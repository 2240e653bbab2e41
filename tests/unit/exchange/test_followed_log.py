"""Promises of exchange/adapters/files/followed.py: what its owner said to be durable, and no more."""

from pathlib import Path

import pytest

from exchange.adapters.files.followed import FollowedLog
from exchange.adapters.files.log import FileLog
from exchange.ports.world import Log, LogError, LogRecord


async def owner_of(path: Path, records: int, file_size_bytes: int = 400) -> FileLog:
    log = await FileLog.open(path, 5_000, file_size_bytes=file_size_bytes)
    await more(log, records)
    return log


async def more(log: FileLog, records: int) -> None:
    for number in range(log.end, log.end + records):
        await log.append(b"record %d" % number)


async def all_of(log: Log, start: int = 0) -> list[LogRecord]:
    reader = await log.reader(start)
    found: list[LogRecord] = []
    while batch := await reader.read(1):
        found += batch
    await reader.close()
    return found


async def test_a_follower_reads_all_that_its_owner_has_said_over_many_files(tmp_path: Path) -> None:
    owner = await owner_of(tmp_path / "log", 25)
    log = await FollowedLog.open(tmp_path / "log", 25)
    assert len(list((tmp_path / "log").glob("*.log"))) > 3
    reader = await log.reader(20)
    read: list[LogRecord] = []
    for turn in range(5):
        await more(owner, 7 + turn)
        known = await log.end_offset()
        for end in (known, owner.end):
            log.told(end)
            while batch := await reader.read(1):
                read += batch
            assert read[-1].offset == end - 1
        assert await log.last() == await owner.last()
    assert read == await all_of(owner, 20)
    assert await all_of(log) == await all_of(owner)
    assert await all_of(log, 33) == await all_of(owner, 33)
    assert await log.end_offset() == owner.end
    await owner.close()


async def test_what_is_written_and_not_said_to_be_durable_is_not_read(tmp_path: Path) -> None:
    owner = await owner_of(tmp_path / "log", 4, file_size_bytes=1_000_000)
    log = await FollowedLog.open(tmp_path / "log", 2)
    assert [record.offset for record in await all_of(log)] == [0, 1]
    with pytest.raises(LogError, match="beyond"):
        await log.reader(3)
    log.told(3)
    assert [record.offset for record in await all_of(log)] == [0, 1, 2]
    with pytest.raises(LogError, match="record 4 of 5 is not there"):
        log.told(5)
    await owner.close()


async def test_a_follower_writes_nothing_and_holds_nothing(tmp_path: Path) -> None:
    owner = await owner_of(tmp_path / "log", 30)
    log = await FollowedLog.open(tmp_path / "log", 30)
    with pytest.raises(LogError, match="another process"):
        await log.writer()
    await owner.remove_before(20)
    assert await log.first_offset() == await owner.first_offset() > 0
    with pytest.raises(LogError, match="is gone"):
        await log.reader(0)
    first = await log.first_offset()
    assert await all_of(log, first) == await all_of(owner, first)
    await owner.close()


async def test_an_owner_that_ended_and_came_back_is_followed_on(tmp_path: Path) -> None:
    owner = await owner_of(tmp_path / "log", 3, file_size_bytes=1_000_000)
    log = await FollowedLog.open(tmp_path / "log", 3)
    for end in (5, 9):
        await owner.close()
        owner = await owner_of(tmp_path / "log", end - owner.end, file_size_bytes=1_000_000)
        log.told(end)
        again = await FollowedLog.open(tmp_path / "log", end)
        assert await all_of(log) == await all_of(again) == await all_of(owner)
    await owner.close()


async def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no files"):
        await FollowedLog.open(tmp_path / "log", 0)
