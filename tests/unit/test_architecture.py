"""ARCHITECTURE.md opens with the rooms and with one order's way through them, as they are.

`python -m tests.unit.test_architecture` prints the picture and the table of limits anew.
"""

import ast
import graphlib
import re
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

from exchange.contracts.limits import limits_table

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
# From the ground up: whoever stands lower in this list may import what stands above it.
TOPS = ("exchange", "matching_engine", "services", "local", "bench", "loadtest", "infra")
LINE_LENGTH_MAX = 110
NAME_COLUMNS = 24


def picture() -> str:
    """Every room with the first sentence that its own docstring says of it."""
    return "\n".join(line for top in TOPS for line in _lines(ROOT / top, 0))


def _lines(room: Path, depth: int) -> Iterator[str]:
    says = (ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or "").partition("\n")[0]
    assert says, f"{room.relative_to(ROOT)} does not say what it is for"
    yield f"{'  ' * depth}{room.name}/".ljust(NAME_COLUMNS) + says
    for inner in sorted(path.parent for path in room.glob("*/__init__.py")):
        yield from _lines(inner, depth + 1)


def test_the_picture_shows_the_rooms_as_they_are() -> None:
    (drawn,) = re.findall(r"(?s)## The rooms\n.*?```text\n(.*?)\n```", TEXT)
    assert drawn.splitlines() == picture().splitlines()


def test_it_fits_a_screen() -> None:
    assert [line for line in picture().splitlines() if len(line) > LINE_LENGTH_MAX] == []


def test_the_way_of_an_order_names_what_is_there() -> None:
    (table,) = re.findall(r"(?s)## One order's way\n.*?\n\n(\|.*?\n)\n", TEXT)
    steps = re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \|", table, re.MULTILINE)
    assert len(steps) > 8
    for file, name in steps:
        defined = {
            node.name
            for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        assert set(name.split(".")) <= defined, f"{file} has no {name}"


def test_the_document_opens_with_them() -> None:
    assert re.findall(r"^## (.*)", TEXT, re.MULTILINE)[:2] == ["The rooms", "One order's way"]


def test_the_table_of_limits_is_the_code_s() -> None:
    (drawn,) = re.findall(r"(?s)## Limits\n.*?\n\n(\|.*?\n)\n", TEXT)
    assert drawn.splitlines() == limits_table().splitlines()


def imports_of(text: str, modules: Set[str]) -> set[str]:
    """Which of `modules` a module names in its imports, those for type checkers alone among them."""
    found = set(re.findall(r"(?m)^ *import ([\w.]+)", text)) & modules
    for room, names in re.findall(r"(?m)^ *from ([\w.]+) import (\([^)]*\)|.*)", text):
        for name in re.findall(r"(\w+)(?: as \w+)?", re.sub(r"#.*", "", names)):
            found.add(f"{room}.{name}" if f"{room}.{name}" in modules else room)
    return found & modules


def test_no_module_needs_one_that_needs_it() -> None:
    """Two that need each other are one module in two files: neither can be read, or changed, alone."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for top in (*TOPS, "tests")
        for path in (ROOT / top).rglob("*.py")
    }
    needs = {name: imports_of(path.read_text("utf-8"), files.keys()) - {name} for name, path in files.items()}
    assert sum(map(len, needs.values())) > 1_000, "imports are read"
    graphlib.TopologicalSorter(needs).prepare()


def test_imports_are_seen_however_they_are_written() -> None:
    modules = {"a", "a.b", "a.c", "d"}
    text = """
import d
from a import (
    b,  # c
    other as named,
)
if TYPE_CHECKING:
    from a.c import Thing
"""
    assert imports_of(text, modules) == modules
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"d"}, "d": {"a"}}).prepare()


if __name__ == "__main__":
    print(picture())
    print(limits_table())
