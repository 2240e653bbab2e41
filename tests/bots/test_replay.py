"""`exchange replay` as a person calls it: a recorded market in the real book, and faults in a sentence."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.replay.recording import record_day
from local.replay.feeding import Summary
from local.servers import free_port
from tests.bots.wheel import ROOT

MINUTES = 10


def replay(folder: Path, *arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
    """The command, with state in `folder`."""
    command = [sys.executable, "-m", "local", "replay", *arguments, "--exit"]
    command += ["--data-dir", str(folder / "data"), "--port", str(free_port())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.mark.slow
def test_a_file_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    done = replay(tmp_path, str(tmp_path / "BTCUSDT-trades-2024-05-01.csv"))
    assert done.returncode == 2
    assert "no file of the kind .csv or .zip" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.timeout(600)
@pytest.mark.thorough
def test_what_was_recorded_is_traded_again_twice_and_all_of_it_is_in_the_ledger(tmp_path: Path) -> None:
    files = [str(f) for f in record_day(tmp_path, ["BTCUSDT", "ETHUSDT"], MINUTES, per_minute=5, seed=3)]
    summary = tmp_path / "summary.json"
    for speed, levels in (("60", "5"), ("0", "0")):
        done = replay(tmp_path, *files, "--speed", speed, "--levels", levels, "--summary", str(summary))
        assert done.returncode == 0, done.stderr
        found = msgspec.json.decode(summary.read_bytes(), type=Summary)
        assert found.prints == found.trades == found.trades_ledger == 2 * 5 * MINUTES
        assert found.adapted == 0
        assert f"{found.prints:,} prints of 2 markets replayed" in done.stdout
