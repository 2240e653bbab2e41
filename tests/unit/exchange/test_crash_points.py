"""Marked places do nothing unless asked; an armed one ends exactly one process, once."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.process import crash_points

ROOT = Path(__file__).resolve().parents[3]
PLACE = crash_points.CRASH_POINTS[0]
VISITOR = """
import sys
from pathlib import Path
from exchange.process import crash_points
if sys.argv[1]:
    crash_points.watch(Path(sys.argv[1]))
for visit in range(int(sys.argv[3])):
    print(visit, flush=True)
    crash_points.crash_point(sys.argv[2])
"""


def visit(folder: Path | str, visits: int) -> tuple[int, int]:
    """How the process ended, and how many visits it had begun."""
    command = [sys.executable, "-c", VISITOR, str(folder), PLACE, str(visits)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, len(done.stdout.split())


def test_armed_place_kills_at_the_visit_asked_for_and_only_once(tmp_path: Path) -> None:
    crash_points.arm(tmp_path, PLACE, visits=3)
    assert visit(tmp_path, 5) == (-signal.SIGKILL, 3)
    assert visit(tmp_path, 5) == (0, 5)


def test_process_that_does_not_watch_passes_an_armed_place(tmp_path: Path) -> None:
    crash_points.arm(tmp_path, PLACE)
    assert visit("", 2) == (0, 2)
    assert crash_points.disarm(tmp_path, PLACE)


def test_disarmed_place_is_harmless(tmp_path: Path) -> None:
    crash_points.arm(tmp_path, PLACE)
    assert crash_points.disarm(tmp_path, PLACE)
    assert not crash_points.disarm(tmp_path, PLACE)
    assert visit(tmp_path, 2) == (0, 2)


@pytest.mark.parametrize("name", crash_points.CRASH_POINTS)
def test_every_place_of_the_list_is_marked_in_the_code_once(name: str) -> None:
    assert marked().count(name) == 1


def test_every_marked_place_is_on_the_list() -> None:
    assert set(marked()) == set(crash_points.CRASH_POINTS)


def marked() -> list[str]:
    sources = [
        p
        for folder in ("exchange", "local", "matching_engine", "services")
        for p in (ROOT / folder).rglob("*.py")
    ]
    return [
        name
        for path in sources
        for name in re.findall(r"(?m)^ +crash_point\(\"([^\"]+)\"\)", path.read_text())
    ]
