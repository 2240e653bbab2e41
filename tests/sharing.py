"""Which tests must run in one process when several share the work, and which of them begin.

A test that shares nothing goes to whichever process is free. What shares an exchange, or one Terraform
folder, stays together; and what takes long begins first, so that no process is left with it at the end.
Who kills or silences parts of what is shared (the mark `hurts`) comes after all who share it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

__all__ = ["put_last", "put_off", "put_together"]

# Fixture -> group. A fixture with parameters makes a group for each of them.
_SHARED: Final = {
    # Before "exchange", which is either of the next two.
    "embedded_exchange": "exchange-run",
    "stack_exchange": "exchange-stack",
    "exchange": "exchange",
    "terminal_exchange": "terminal exchange",
    "outcome_of": "terraform",
    "old_database": "old database",
    # A Kafka of its own, and a bench: one of each is enough.
    "broker": "kafka with logins",
    "bench_exchange": "bench",
}
# Groups by what they take, the longest first.
_LONG: Final = ("terminal exchange", "exchange-stack", "exchange-run")


def put_together(items: list[pytest.Item]) -> None:
    """Mark the groups, and sort: groups first, then what is marked slow, then all else in its order."""
    for item in items:
        for group in _groups(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


def put_off(items: list[pytest.Item]) -> None:
    """Mark as thorough what `thorough_for` names: a dear way that has a cheap one beside it."""
    for item in items:
        values = set(map(str, getattr(getattr(item, "callspec", None), "params", {}).values()))
        for mark in item.iter_markers("thorough_for"):
            if values & set(mark.args):
                item.add_marker(pytest.mark.thorough)


def put_last(items: list[pytest.Item]) -> None:
    """Within a folder, what is marked `hurts` comes after all else, which keeps its order."""
    folders: dict[Path, int] = {}
    for item in items:
        folders.setdefault(item.path.parent, len(folders))
    items.sort(key=lambda item: (folders[item.path.parent], item.get_closest_marker("hurts") is not None))


def _groups(item: pytest.Item) -> Iterator[str]:
    names = getattr(item, "fixturenames", ())
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for fixture, group in _SHARED.items():
        if fixture not in names:
            continue
        if fixture == "exchange":
            # Only the end-to-end tests have it for more than one test.
            if "exchange" in parameters:
                yield f"{group}-{parameters['exchange']}"
        elif fixture == "outcome_of":
            yield f"{group} {parameters.get('folder', 'modules/exchange')}"
        else:
            yield group
        return


def _turn(item: pytest.Item) -> tuple[int, int]:
    marker = item.get_closest_marker("xdist_group")
    group = marker.args[0] if marker is not None else ""
    first = _LONG.index(group) if group in _LONG else len(_LONG)
    return (first, 0 if group or item.get_closest_marker("slow") is not None else 1)
