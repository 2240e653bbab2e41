"""ARCHITECTURE.md opens with the rooms and with one order's way through them, as they are.

`python -m tests.unit.test_architecture` prints the picture and the table of limits anew.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

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


if __name__ == "__main__":
    print(picture())
    print(limits_table())
