"""`exchange replay` as a person calls it: a recorded market in the real book, and faults in a sentence."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.replay.recording import record_day
from local.replay.feeding import Summary
from local.servers import free_port
from matching_engine.genesis import MARKETS_FILE
from tests.bots.wheel import ROOT

MINUTES = 10


def replay(folder: Path, *arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
    """The command, with state in `folder`."""
    command = [sys.executable, "-m", "local", "replay", *arguments, "--exit"]
    command += ["--data-dir", str(folder / "data"), "--port", str(free_port())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.mark.slow
def test_a_file_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    other = tmp_path / "BTCUSDT-trades-2024-05-01.txt"
    other.write_text("1,2,3\n", "utf-8")
    for file, problem in (
        (other, "no file of the kind .csv or .zip"),
        (other.with_suffix(".csv"), "there is no such file"),
    ):
        done = replay(tmp_path, str(file))
        assert done.returncode == 2
        assert problem in done.stderr
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


@pytest.mark.timeout(600)
@pytest.mark.thorough
def test_a_recorded_book_is_there_again_order_by_order(tmp_path: Path) -> None:
    """As LOBSTER records a stock: what was executed is traded, what rests is in the book at the end."""
    markets, summary = tmp_path / "markets.toml", tmp_path / "summary.json"
    text = MARKETS_FILE.read_text("utf-8")
    first = text.index("[[markets]]")
    row = text[first : text.index("[[markets]]", first + 1)]
    stock = row.replace('base = "BTC"', 'base = "AAPL"').replace('quote = "USDT"', 'quote = "USD"')
    assets = "".join(f'[[assets]]\ncode = "{code}"\ndecimals = 8\n\n' for code in ("AAPL", "USD"))
    markets.write_text(text[:first] + assets + text[first:] + "\n" + stock, "utf-8")
    lines = []
    for at in range(300):
        price = 5_853_300 - 100 * (at % 5)
        lines += [f"{34_200 + at}.1,1,{at + 1},18,{price},1", f"{34_200 + at}.2,2,{at + 1},8,{price},1"]
        if at % 5 == 0:
            # The best one, for at its price there is no older one.
            lines.append(f"{34_200 + at}.3,4,{at + 1},10,{price},1")
        elif at % 5 < 4:
            lines.append(f"{34_200 + at}.3,3,{at + 1},10,{price},1")
    file = tmp_path / "AAPL_2012-06-21_34200000_57600000_message_10.csv"
    file.write_text("\n".join(lines), "ascii")
    done = replay(tmp_path, str(file), "--speed", "0", "--summary", str(summary), "--markets", str(markets))
    assert done.returncode == 0, done.stderr + done.stdout
    found = msgspec.json.decode(summary.read_bytes(), type=Summary)
    assert (found.markets, found.prints, found.trades, found.trades_ledger) == (1, len(lines), 60, 60)
    assert found.adapted == 0
