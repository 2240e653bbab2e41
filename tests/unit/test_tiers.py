"""docs/tests.md says of every group of tests and of every planted bug in which tier it runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.planted.mutations import MUTATIONS
from tests.tiers.campaigns import CAMPAIGNS
from tests.tiers.groups import group_of, times
from tests.tiers.pytests import with_bytecode_kept

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tests.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_group_of_tests_has_its_row() -> None:
    groups = {
        group_of(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
        for path in (ROOT / "tests").rglob("test_*.py")
    }
    rows = set(re.findall(r"(?m)^\| `tests/([\w/]+)` \|", TEXT))
    assert rows == groups


def test_every_planted_bug_is_named_with_its_tier() -> None:
    told = set(MUTATIONS)
    assert set(re.findall(r"(?m)^- (.+)$", TEXT.partition("## Planted bugs")[2])) == told


def test_every_campaign_is_a_target_of_make() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):.* ##", MAKEFILE))
    assert {words[0] for words in CAMPAIGNS.values()} <= targets


@pytest.mark.parametrize(
    ("classname", "group"),
    [
        ("tests.integration.user.test_money", "integration/user"),
        ("tests.integration.test_poison.TestHalt", "integration"),
        ("tests.unit.test_documents", "unit"),
        ("tests.e2e.test_crash", "e2e"),
    ],
)
def test_a_group_is_a_folder(classname: str, group: str) -> None:
    assert group_of(classname) == group


@pytest.mark.slow
def test_what_shares_a_group_stays_in_one_process(tmp_path: Path) -> None:
    """pytest-xdist marks the groups by an attribute of pytest's that has changed once."""
    tests = "@pytest.mark.xdist_group('together')\ndef test_{}(): time.sleep(0.2)\n"
    body = "import time, pytest\n" + "".join(tests.format(number) for number in range(4))
    (tmp_path / "test_it.py").write_text(body, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=170)
    assert len(set(re.findall(r"\[(gw\d)\] .*PASSED .*@together", done.stdout))) == 1, done.stdout


def test_a_report_is_added_up_by_group(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    assert times(report) == []
    cases = [("tests.e2e.test_crash", "2.5"), ("tests.unit.test_x", "0.5"), ("tests.unit.test_y", "1")]
    body = "".join(f'<testcase classname="{name}" name="t" time="{took}"/>' for name, took in cases)
    report.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>", encoding="utf-8")
    assert [tuple(group) for group in times(report)] == [("e2e", 1, 2.5), ("unit", 2, 1.5)]


def test_who_wants_no_bytecode_beside_the_sources_has_it_elsewhere() -> None:
    assert with_bytecode_kept({"A": "1"}) == {"A": "1"}
    kept = with_bytecode_kept({"PYTHONDONTWRITEBYTECODE": "1"})
    assert [*kept] == ["PYTHONPYCACHEPREFIX"]
    assert not Path(kept["PYTHONPYCACHEPREFIX"]).is_relative_to(ROOT)
    asked = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/there"}
    assert with_bytecode_kept(asked) == {"PYTHONPYCACHEPREFIX": "/there"}
