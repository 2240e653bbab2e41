"""How a child of a local exchange ends: politely, or firmly within a deadline, and it is said."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import psutil
import pytest

from local.servers.process import GIVES_WAY, Command, ManagedProcess

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


async def started(folder: Path, code: str, niceness: int = 0) -> ManagedProcess:
    command = Command([sys.executable, "-c", code], program="python", marker=code, niceness=niceness)
    process = await ManagedProcess.start("child", folder, command)

    async def up() -> bool:
        return "up" in process.log_tail().splitlines()

    await process.wait_ready(up, 30)
    return process


async def test_who_is_not_waited_for_gives_way(tmp_path: Path) -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    for niceness in (0, GIVES_WAY):
        process = await started(tmp_path / str(niceness), code, niceness)
        try:
            assert psutil.Process(process.pid).nice() == psutil.Process().nice() + niceness
            autogroup = Path(f"/proc/{process.pid}/autogroup")
            if autogroup.exists():  # Each session has one, and its word counts among sessions.
                assert autogroup.read_text().split()[-1] == str(niceness)
        finally:
            await process.stop(5)


async def test_a_child_that_does_not_end_is_killed_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = await started(tmp_path, DEAF)
    with caplog.at_level(logging.WARNING):
        assert await process.stop(0.2) == -signal.SIGKILL
    assert "child did not end within 0.2 s: killed; the next start recovers" in caplog.text


async def test_a_second_signal_kills_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It cancels the stop."""
    process = await started(tmp_path, DEAF)
    stopping = asyncio.create_task(process.stop(3_600))
    await asyncio.sleep(0.05)
    stopping.cancel()
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await stopping
    assert await process.wait() == -signal.SIGKILL
    assert "child had not ended: killed" in caplog.text


async def test_a_paused_child_ends_politely(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    process = await started(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    psutil.Process(process.pid).suspend()
    with caplog.at_level(logging.WARNING):
        assert await process.stop(3_600) == -signal.SIGTERM
    assert not caplog.text
