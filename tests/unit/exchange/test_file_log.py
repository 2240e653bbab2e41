"""Promises of exchange/adapters/files/log.py: what was acknowledged is there, whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.adapters.files.log import FileLog
from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX
from exchange.ports.world import LogError, LogRecord, LogTimeoutError

ROOT = Path(__file__).resolve().parents[3]
# Appends for ever from several tasks; prints an offset only after its acknowledgement.
APPENDER = """
import asyncio, sys
from pathlib import Path
from exchange.adapters.files.log import FileLog

async def append_forever(log, name):
    number = 0
    while True:
        value = b"%d:%d:" % (name, number) + b"x" * (number % 900)
        offset = await log.append(value)
        sys.stdout.write(f"{offset} {name} {number}\\n")
        sys.stdout.flush()
        number += 1

async def main():
    log = await FileLog.open(Path(sys.argv[1]), 5_000)
    await asyncio.gather(*(append_forever(log, name) for name in range(4)))

asyncio.run(main())
"""


async def opened(path: Path) -> FileLog:
    return await FileLog.open(path, 5_000)


async def all_records(log: FileLog, start: int = 0) -> list[LogRecord]:
    reader = await log.reader(start)
    found: list[LogRecord] = []
    while batch := await reader.read(1):
        found += batch
    return found


async def written(path: Path, *values: bytes) -> None:
    log = await opened(path)
    for value in values:
        await log.append(value)
    await log.close()


async def test_empty_log_has_no_records(tmp_path: Path) -> None:
    log = await opened(tmp_path / "new" / "log")
    assert (await log.end_offset(), await log.last(), log.cut_bytes) == (0, None, 0)
    assert await all_records(log) == []
    await log.close()


async def test_records_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "log"
    values = [b"", b"a", b"b" * LOG_RECORD_SIZE_BYTES_MAX, *(str(n).encode() for n in range(700))]
    await written(path, *values)
    log = await opened(path)
    records = await all_records(log)
    assert [r.value for r in records] == values
    assert [r.offset for r in records] == list(range(len(values)))
    stamps = [r.timestamp_ms for r in records]
    assert stamps == sorted(stamps)
    assert await log.last() == records[-1]
    for start in (0, 1, 255, 256, 257, 512, len(values)):
        assert await all_records(log, start) == records[start:]
    assert await log.append(b"next") == len(values)
    await log.close()


async def test_appends_that_wait_together_share_one_fsync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(tmp_path / "log")
    syncs: list[int] = []
    real = os.fdatasync

    def counted(fd: int) -> None:
        syncs.append(fd)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", counted)
    offsets = await asyncio.gather(*(log.append(str(n).encode()) for n in range(500)))
    assert offsets == list(range(500))
    assert len(syncs) <= 3
    assert [r.value for r in await all_records(log)] == [str(n).encode() for n in range(500)]
    await log.close()


async def test_nothing_is_seen_or_acknowledged_before_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    log = await opened(tmp_path / "log")
    gate = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (gate.wait(10), real(fd))[1])
    appending = asyncio.create_task(log.append(b"slow"))
    await asyncio.sleep(0.05)
    assert not appending.done()
    assert (await log.end_offset(), await log.last()) == (0, None)
    assert await all_records(log) == []
    gate.set()
    assert await appending == 0
    assert [r.value for r in await all_records(log)] == [b"slow"]
    await log.close()


async def test_log_that_hangs_is_reported_within_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    log = await FileLog.open(tmp_path / "log", 50)
    gate = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (gate.wait(10), real(fd))[1])
    with pytest.raises(LogTimeoutError):
        await log.append(b"slow")
    gate.set()
    await log.close()


async def test_after_a_failed_write_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(tmp_path / "log")
    await log.append(b"good")

    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(LogError, match="No space left"):
        await log.append(b"bad")
    monkeypatch.undo()
    with pytest.raises(LogError, match="has failed"):
        await log.append(b"later")
    assert [r.value for r in await all_records(log)] == [b"good"]
    await log.close()


async def test_too_big_record_is_refused_and_the_log_goes_on(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    with pytest.raises(LogError, match="too big"):
        await log.append(b"x" * 1_048_577)
    assert await log.append(b"x") == 0
    await log.close()


async def test_flushes_are_bounded_whatever_waits(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    values = [bytes([n]) * LOG_RECORD_SIZE_BYTES_MAX for n in range(11)]
    assert await asyncio.gather(*map(log.append, values)) == list(range(11))
    await log.close()
    again = await opened(tmp_path / "log")
    assert [r.value for r in await all_records(again)] == values
    await again.close()


async def test_full_file_is_followed_by_the_next_one_and_readers_cross_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = await FileLog.open(path, 5_000, file_size_bytes=2_000)
    reader = await log.reader(0)
    for number in range(100):
        assert await log.append(b"%d" % number * 50) == number
        assert [r.offset for r in await reader.read(1_000)] == [number]
    files = sorted(path.glob("*.log"))
    assert len(files) > 3
    await log.close()
    again = await FileLog.open(path, 5_000, file_size_bytes=2_000)
    records = await all_records(again)
    assert [r.value for r in records] == [b"%d" % number * 50 for number in range(100)]
    for start in range(101):
        assert await all_records(again, start) == records[start:]
    assert await again.last() == records[-1]
    await again.close()


async def test_whole_files_are_removed_and_never_the_newest_record(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = await FileLog.open(path, 5_000, file_size_bytes=1_000)
    for number in range(60):
        await log.append(b"%d" % number * 50)
    behind = await log.reader(0)
    await log.remove_before(30)
    first = await log.first_offset()
    assert 0 < first <= 30
    with pytest.raises(LogError, match=f"offset 0 is gone, the log starts at {first}"):
        await log.reader(0)
    with pytest.raises(LogError, match="is gone"):
        await behind.read(100)
    assert [r.offset for r in await all_records(log, first)] == list(range(first, 60))
    await log.remove_before(60)
    last = await log.last()
    assert last is not None
    assert last.offset == 59
    await log.close()
    again = await FileLog.open(path, 5_000, file_size_bytes=1_000)
    assert (await again.last(), await again.end_offset()) == (last, 60)
    assert await again.append(b"on we go") == 60
    await again.close()


async def test_reader_beyond_the_end_is_refused(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    with pytest.raises(LogError, match="beyond"):
        await log.reader(1)
    await log.close()


async def test_close_flushes_or_refuses_what_is_pending(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    appends = [asyncio.create_task(log.append(str(n).encode())) for n in range(50)]
    await asyncio.sleep(0)
    await log.close()
    results = await asyncio.gather(*appends, return_exceptions=True)
    kept = [r for r in results if isinstance(r, int)]
    assert all(isinstance(r, int | LogError) for r in results)
    again = await opened(tmp_path / "log")
    assert await again.end_offset() >= len(kept)
    await again.close()


async def test_waiting_reader_wakes_up(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    reader = await log.reader(0)
    reading = asyncio.create_task(reader.read(5_000))
    await asyncio.sleep(0.01)
    await log.append(b"news")
    assert [r.value for r in await reading] == [b"news"]
    await log.close()


async def test_second_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = await opened(path)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", APPENDER, str(path)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert b"in use by another process" in done.stderr
    await log.close()


@pytest.mark.parametrize("acknowledged_min", [1, 60, 300])
async def test_killed_process_loses_no_acknowledged_record(tmp_path: Path, acknowledged_min: int) -> None:
    path = tmp_path / "log"
    lines = await asyncio.to_thread(_append_and_kill, path, acknowledged_min)
    log = await opened(path)
    values = [r.value for r in await all_records(log)]
    for offset, name, number in lines:
        assert values[offset].startswith(b"%d:%d:" % (name, number))
    assert len(lines) >= acknowledged_min
    assert await log.append(b"on we go") == len(values)
    await log.close()


def _append_and_kill(path: Path, acknowledged_min: int) -> list[tuple[int, int, int]]:
    """Let a process append, kill it -9 in the middle; return what it had been promised."""
    command = [sys.executable, "-c", APPENDER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged_min)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    # The last line may be torn by the kill, and then nobody was promised anything.
    return [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]  # type: ignore[misc]


async def test_a_probe_tells_the_end_and_single_records(tmp_path: Path) -> None:
    log = await FileLog.open(tmp_path / "log", 5_000)
    try:
        writer, probe = await log.writer(), await log.probe()
        assert await probe.end_offset() == 0
        for number in range(300):
            await writer.append(str(number).encode())
        assert await probe.end_offset() == 300
        for offset in (299, 0, 257):
            assert (await probe.record(offset)).value == str(offset).encode()
        with pytest.raises(LogError):
            await probe.record(300)
        await probe.close()
    finally:
        await log.close()
