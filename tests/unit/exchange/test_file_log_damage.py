"""The embedded log on damaged bytes: a torn flush is cut and kept aside, all else is refused as it is."""

import asyncio
import random
import secrets
import zlib
from pathlib import Path

import pytest

from exchange.adapters.files import log as log_module
from exchange.adapters.files import log_files
from exchange.adapters.files.log import FileLog
from exchange.adapters.files.log_format import BODY_SIZE_BYTES_MAX
from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX
from exchange.ports.world import LogError, LogRecord

PAGE_SIZE_BYTES = 4_096
# What a version that knew format 1 alone has written: b"first", b"", b"third \x00\xff".
OLD_LOG = bytes.fromhex(
    "0500000049fd6bf500e897b69a01000066697273740000000"
    "0c589565105e897b69a01000008000000668def0805e897b69a01000074686972642000ff"
)
OLD_RECORDS = [
    LogRecord(0, 1_764_000_000_000, b"first"),
    LogRecord(1, 1_764_000_000_005, b""),
    LogRecord(2, 1_764_000_000_005, b"third \x00\xff"),
]


@pytest.fixture(autouse=True)
def no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine may take a second for what these tests write: then the mark would know of it."""
    monkeypatch.setattr(log_module, "DURABLE_MARK_EVERY_S", 3_600.0)


async def opened(path: Path) -> FileLog:
    return await FileLog.open(path, 5_000)


async def records_in(log: FileLog) -> list[LogRecord]:
    reader = await log.reader(await log.first_offset())
    found: list[LogRecord] = []
    while batch := await reader.read(1):
        found += batch
    return found


async def values_in(path: Path) -> list[bytes]:
    log = await opened(path)
    try:
        return [record.value for record in await records_in(log)]
    finally:
        await log.close()


async def values_unless_refused(path: Path) -> list[bytes] | None:
    try:
        return await values_in(path)
    except LogError:
        return None


async def flushed(path: Path, *flushes: list[bytes], close: bool = True) -> list[int]:
    """A log with a batch for each list; where each ends in the file. Not closed: as after `kill -9`."""
    log = await opened(path)
    ends = [file_of(path).stat().st_size]
    for values in flushes:
        await asyncio.gather(*map(log.append, values))
        ends.append(file_of(path).stat().st_size)
    written = {file: file.read_bytes() for file in path.iterdir()}
    await log.close()
    if not close:
        for file, data in written.items():
            file.write_bytes(data)
    return ends


def file_of(path: Path) -> Path:
    (file,) = path.glob("*.log")
    return file


def aside(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(path.glob("*.torn-*"))]


FLUSHES = ([b"a" * 50, b"b"], [b"c" * 50], [b"d" * 20, b"", b"e" * 30])


async def test_flipped_bit_before_the_last_flush_is_refused_wherever_it_is(tmp_path: Path) -> None:
    """Every byte of the file's header, of batch headers, record headers and values. Nothing is changed."""
    path = tmp_path / "log"
    ends = await flushed(path, *FLUSHES, close=False)
    whole = file_of(path).read_bytes()
    for position in range(ends[-2]):
        for bit in (0, 3, 7):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            file_of(path).write_bytes(damaged)
            with pytest.raises(LogError, match="is damaged") as refusal:
                await opened(path)
            assert "Nothing was changed" in str(refusal.value)
            assert file_of(path).read_bytes() == damaged
    assert aside(path) == []


async def test_flipped_bit_in_the_last_flush_loses_no_more_than_it_and_keeps_it_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ends = await flushed(path, *FLUSHES, close=False)
    whole = file_of(path).read_bytes()
    for position in range(ends[-2], ends[-1]):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file_of(path).write_bytes(damaged)
        assert await values_in(path) == [b"a" * 50, b"b", b"c" * 50]
        assert damaged[ends[-2] :] in aside(path)
    assert len(aside(path)) == log_files._TORN_FILES_MAX


async def test_log_that_was_closed_has_no_torn_flush(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ends = await flushed(path, *FLUSHES)
    whole = file_of(path).read_bytes()
    for position in range(ends[-2], ends[-1]):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        file_of(path).write_bytes(damaged)
        with pytest.raises(LogError, match="is damaged"):
            await opened(path)
    file_of(path).write_bytes(whole)
    assert len(await values_in(path)) == 6
    assert file_of(path).read_bytes() == whole, "opening and closing adds nothing"


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", None], ids=["zeros", "ones", "garbage"])
async def test_pages_of_the_last_flush_may_land_in_any_order(tmp_path: Path, fill: bytes | None) -> None:
    """Power loss: any of its pages are there and any are not, the first one too, whatever the size says."""
    path = tmp_path / "log"
    first = [b"x" * 700, b"y" * 3_000]
    ends = await flushed(path, first, [bytes([n]) * 3_700 for n in range(4)], close=False)
    whole = file_of(path).read_bytes()
    pages = range(ends[1] // PAGE_SIZE_BYTES, len(whole) // PAGE_SIZE_BYTES + 1)
    assert len(pages) >= 4
    for landed in range(2 ** len(pages)):
        torn = bytearray(whole)
        for bit, page in enumerate(pages):
            if not landed >> bit & 1:
                start, end = (
                    max(ends[1], page * PAGE_SIZE_BYTES),
                    min(len(whole), (page + 1) * PAGE_SIZE_BYTES),
                )
                torn[start:end] = (fill or secrets.token_bytes(1)) * (end - start)
        for size in {len(whole), pages[landed % len(pages)] * PAGE_SIZE_BYTES}:
            file_of(path).write_bytes(torn[: max(size, ends[1])])
            found = await values_in(path)
            assert found[:2] == first
            assert len(found) == (6 if torn[:size] == whole else 2)


@pytest.mark.parametrize("cut_bytes", [1, 7, 11, 12, 13, 39, 40, 41])
async def test_torn_tail_is_cut_and_the_log_goes_on(tmp_path: Path, cut_bytes: int) -> None:
    path = tmp_path / "log"
    await flushed(path, [b"first"], [b"second"], close=False)
    torn = file_of(path).read_bytes()[:-cut_bytes]
    file_of(path).write_bytes(torn)
    log = await opened(path)
    assert [r.value for r in await records_in(log)] == [b"first"]
    assert log.cut_bytes == max(0, 28 + 12 + 6 - cut_bytes)
    assert await log.append(b"third") == 1
    await log.close()
    again = await opened(path)
    assert [r.value for r in await records_in(again)] == [b"first", b"third"]
    assert again.cut_bytes == 0
    await again.close()


async def test_more_than_one_flush_is_never_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    await flushed(path, [b"first"], close=False)
    damaged = file_of(path).read_bytes() + bytes(BODY_SIZE_BYTES_MAX + 100)
    file_of(path).write_bytes(damaged)
    with pytest.raises(LogError, match="more than one flush"):
        await opened(path)
    assert file_of(path).read_bytes() == damaged


async def test_hole_over_several_flushes_at_the_end_is_damage_once_they_were_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header is left in it, so the bytes alone would look like one torn flush."""
    path = tmp_path / "log"
    monkeypatch.setattr(log_module, "DURABLE_MARK_EVERY_S", 0.0)
    await flushed(path, [b"first"], [b"second"], [b"third"], close=False)
    monkeypatch.setattr(log_module, "DURABLE_MARK_EVERY_S", 3_600.0)
    whole = file_of(path).read_bytes()
    for damaged in (whole[:80] + bytes(len(whole) - 80), whole[:80], whole[:-1]):
        file_of(path).write_bytes(damaged)
        with pytest.raises(LogError, match="was durable up to byte"):
            await opened(path)
        assert file_of(path).read_bytes() == damaged
    file_of(path).write_bytes(whole)
    log = await opened(path)
    await log.append(b"not noted")
    written = file_of(path).read_bytes()
    await log.close()
    file_of(path).write_bytes(written[:-1])
    assert await values_in(path) == [b"first", b"second", b"third"]
    # A mark that is torn, or another file's, says nothing.
    for mark in (b"", b"x" * 20, (path / "durable").read_bytes()[:-1]):
        (path / "durable").write_bytes(mark)
        assert await values_in(path) == [b"first", b"second", b"third"]


async def test_what_users_send_does_not_look_like_a_batch(tmp_path: Path) -> None:
    """A torn flush whose values are batches of another log is torn, and not damage with whole ones behind."""
    await flushed(tmp_path / "other", [b"a"], [b"b"])
    path = tmp_path / "log"
    await flushed(path, [b"first"], [file_of(tmp_path / "other").read_bytes()] * 3, close=False)
    whole = file_of(path).read_bytes()
    file_of(path).write_bytes(whole[:-1])
    assert await values_in(path) == [b"first"]


async def test_damage_in_a_file_that_is_full_is_said_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = await FileLog.open(path, 5_000, file_size_bytes=300)
    for number in range(30):
        await log.append(b"%02d" % number * 20)
    await log.close()
    first, *rest = sorted(path.glob("*.log"))
    assert rest
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    log = await opened(path)
    with pytest.raises(LogError, match="damaged"):
        await records_in(log)
    reader = await log.reader(int(rest[0].stem))
    assert (await reader.read(100))[0].offset == int(rest[0].stem)
    await log.close()


# -- format 1 ------------------------------------------------------------------------------------


def old_frame(value: bytes, stamp: int) -> bytes:
    stamped = stamp.to_bytes(8, "little")
    return (
        len(value).to_bytes(4, "little") + zlib.crc32(stamped + value).to_bytes(4, "little") + stamped + value
    )


async def test_log_of_the_format_before_goes_on_in_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "commands.log"
    path.write_bytes(OLD_LOG)
    log = await opened(path)
    assert await records_in(log) == OLD_RECORDS
    assert await log.last() == OLD_RECORDS[-1]
    assert await log.append(b"new") == 3
    await log.close()
    for _ in range(2):
        log = await opened(path)
        records = await records_in(log)
        assert records[:3] == OLD_RECORDS
        assert [r.value for r in records[3:]] == [b"new"]
        for start in range(4):
            reader = await log.reader(start)
            assert (await reader.read(100))[0] == records[start]
        await log.close()
    assert path.is_dir()


@pytest.mark.parametrize("step", ["folder", "moved"])
async def test_change_of_the_layout_may_be_interrupted(tmp_path: Path, step: str) -> None:
    path = tmp_path / "commands.log"
    path.write_bytes(OLD_LOG)
    staging = tmp_path / "commands.log.adopting"
    staging.mkdir()
    if step == "moved":
        path.rename(staging / f"{0:020d}.log1")
    log = await opened(path)
    assert await records_in(log) == OLD_RECORDS
    await log.close()


async def test_many_old_records_are_found_by_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "log"
    values = [b"%d" % n * (n % 400) for n in range(2_000)] + [b"z" * LOG_RECORD_SIZE_BYTES_MAX] * 3 + [b"end"]
    path.write_bytes(b"".join(old_frame(value, 1_764_000_000_000 + n) for n, value in enumerate(values)))
    log = await opened(path)
    assert [r.value for r in await records_in(log)] == values
    for start in (1, 255, 256, 999, 1_999, 2_000, 2_003):
        reader = await log.reader(start)
        (first, *_) = await reader.read(100)
        assert (first.offset, first.value) == (start, values[start])
    await log.close()


async def test_flipped_bit_inside_an_old_log_is_refused_wherever_it_is(tmp_path: Path) -> None:
    """The size field too: it is under no checksum, and once led to the loss of all that follows."""
    for position in range(len(OLD_LOG) - len(OLD_RECORDS[2].value) - 16):
        for bit in range(8):
            path = tmp_path / f"log-{position}-{bit}"
            damaged = bytearray(OLD_LOG)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(LogError, match="is damaged"):
                await opened(path)
            assert (path / f"{0:020d}.log1").read_bytes() == damaged
            with pytest.raises(LogError, match="is damaged"):
                await opened(path)


@pytest.mark.parametrize("cut_bytes", [1, 8, 9, 23, 24])
async def test_torn_tail_of_an_old_log_is_cut_and_kept_aside(tmp_path: Path, cut_bytes: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(OLD_LOG[:-cut_bytes])
    log = await opened(path)
    assert await records_in(log) == OLD_RECORDS[:2]
    assert await log.append(b"new") == 2
    await log.close()
    assert aside(path) == ([OLD_LOG[-24:-cut_bytes]] if cut_bytes < 24 else [])


# -- by chance -----------------------------------------------------------------------------------


async def test_whatever_happens_to_the_bytes_no_record_before_the_last_flush_is_lost(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for round_number in range(60):
        path = tmp_path / f"log-{round_number}"
        flushes = [
            [chance.randbytes(chance.choice((0, 5, 300, 9_000))) for _ in range(chance.randint(1, 4))]
            for _ in range(chance.randint(2, 6))
        ]
        ends = await flushed(path, *flushes, close=chance.random() < 0.3)
        data = bytearray(file_of(path).read_bytes())
        start = chance.randrange(len(data))
        kind = chance.choice(("flip", "zeros", "garbage", "append"))
        length = 1 if kind == "flip" else chance.randint(1, 3_000)
        if kind == "flip":
            data[start] ^= 1 << chance.randrange(8)
        elif kind == "zeros":
            data[start : start + length] = bytes(len(data[start : start + length]))
        elif kind == "garbage":
            data[start : start + length] = chance.randbytes(len(data[start : start + length]))
        else:
            data += chance.randbytes(length)
            start = len(data)
        file_of(path).write_bytes(data)
        found = await values_unless_refused(path)
        if found is None:
            assert kind != "append", seed
            assert file_of(path).read_bytes() == data, seed
            continue
        # One hole may span several small flushes at the end; what is before it is always there.
        whole = [
            value for values, end in zip(flushes, ends[1:], strict=True) if end <= start for value in values
        ]
        everything = [value for values in flushes for value in values]
        assert everything[: len(found)] == found, seed
        assert len(found) >= len(whole), seed
        if kind == "flip":
            assert len(found) >= len(everything) - len(flushes[-1]), seed
