"""Promises of exchange/adapters/files/recent.py, and of a log that reads from memory what it can."""

import random
from pathlib import Path

import pytest

from exchange.adapters.files import recent
from exchange.adapters.files.log import FileLog
from exchange.adapters.files.log_files import LogFile
from exchange.adapters.files.recent import RecentRecords
from exchange.ports.world import LogRecord

SEED = 5


def test_it_holds_the_newest_in_order_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_RECORDS_MAX", 40)
    monkeypatch.setattr(recent, "_SIZE_BYTES_MAX", 2_000)
    monkeypatch.setattr(recent, "_READ_SIZE_BYTES", 300)
    chance = random.Random(SEED)
    held, all_of_them = RecentRecords(7), [LogRecord(0, 0, b"")] * 7
    for _ in range(300):
        first = len(all_of_them)
        values = [chance.randbytes(chance.randrange(120)) for _ in range(chance.randrange(1, 6))]
        added = [LogRecord(first + place, 1, value) for place, value in enumerate(values)]
        all_of_them += added
        held.add(added)
        end = len(all_of_them)
        assert held.since(end) == []
        assert held.since(end - 1) == all_of_them[-1:]
        offset = chance.randrange(end + 1)
        found = held.since(offset)
        assert found == all_of_them[offset : offset + len(found)], f"seed {SEED}"
        assert sum(len(record.value) for record in found[:-1]) < 300
        assert len(held._records) <= 80 + 5
        assert held._size_bytes == sum(len(record.value) for record in held._records) <= 4_000 + 600
    held.forget_before(end - 3)
    assert held.since(end - 4) == []
    assert held.since(end - 3) == all_of_them[-3:]
    held.forget_before(end + 10)
    assert held.since(end - 1) == []


async def test_a_reader_at_the_end_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await FileLog.open(tmp_path / "log", 5_000)
    readers = [await log.reader(0) for _ in range(9)]

    def refuse(*_: object) -> None:
        raise AssertionError("the file was read")

    monkeypatch.setattr(LogFile, "read_from", refuse)
    for number in range(50):
        await log.append(b"%d" % number)
        found = [await reader.read(1_000) for reader in readers]
        assert [[record.value for record in records] for records in found] == [[b"%d" % number]] * 9
        assert len({id(record.value) for records in found for record in records}) == 1
    await log.close()


async def test_a_reader_that_lags_goes_on_from_the_file_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_RECORDS_MAX", 10)
    log = await FileLog.open(tmp_path / "log", 5_000, file_size_bytes=2_000)
    quick, late, halting = [await log.reader(0) for _ in range(3)]
    seen: dict[str, list[int]] = {"quick": [], "late": [], "halting": []}
    for number in range(200):
        await log.append(b"%d" % number * 20)
        seen["quick"] += [record.offset for record in await quick.read(1_000)]
        if number % 37 == 36:
            seen["halting"] += [record.offset for record in await halting.read(1_000)]
    for name, reader in (("late", late), ("halting", halting)):
        while len(seen[name]) < 200:
            found = await reader.read(1_000)
            seen[name] += [record.offset for record in found]
    every = list(range(200))
    assert seen == {"quick": every, "late": every, "halting": every}
    await log.close()
