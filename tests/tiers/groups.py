"""Groups of tests, one a folder: their names, and what each took."""

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["GroupTime", "group_of", "times"]

# Folders whose own folders are the groups.
_SPLIT: Final = ("integration", "unit")


class GroupTime(NamedTuple):
    """`tests`: how many ran. `took_s`: their time added up, which several processes spend at once."""

    group: str
    tests: int
    took_s: float


def group_of(classname: str) -> str:
    """`tests.integration.user.test_money` -> `integration/user`; a file of `tests/unit` itself -> `unit`."""
    parts = [part for part in classname.split(".") if part != "tests"]
    modules = [part for part in parts if part.startswith("test_")]
    folders = parts[: parts.index(modules[0])] if modules else parts
    return "/".join(folders[: 2 if folders[:1] and folders[0] in _SPLIT else 1]) or "tests"


def times(report: Path) -> list[GroupTime]:
    """The groups of a JUnit report, the longest first; none when the run wrote no report."""
    if not report.exists():
        return []
    found: dict[str, list[float]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        found[group_of(case.get("classname", ""))].append(float(case.get("time", "0")))
    groups = (GroupTime(name, len(all_s), sum(all_s)) for name, all_s in found.items())
    return sorted(groups, key=lambda group: -group.took_s)
