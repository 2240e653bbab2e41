"""The rules of this house that no linter knows. A rule with an exception names the reason for it."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# All files are read once, by one process.
pytestmark = pytest.mark.xdist_group("house rules")

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "exchange", "infra", "local", "matching_engine", "services", "loadtest", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
CORE = sorted((ROOT / "matching_engine" / "core").glob("*.py"))
# What runs in an exchange, of all that is in the tree.
RUNNING = ("bench", "exchange", "local", "matching_engine", "services")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# Name of a drawer that collects whatever has no home.
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "tools"}

# File, or file::function -> why it may be longer.
MAY_BE_LONGER: dict[str, str] = {}

# What makes a replay differ from the first run, or money from itself.
FORBIDDEN_IN_CORE = {
    "asyncio", "datetime", "decimal", "fractions", "io", "locale", "logging", "math", "multiprocessing", "os",
    "pathlib", "random", "secrets", "socket", "statistics", "subprocess", "sys", "threading", "time", "uuid",
}  # fmt: skip
FORBIDDEN_CALLS_IN_CORE = {
    "float", "hash", "id", "input", "open", "print", "round", "set", "frozenset", "eval", "exec", "vars",
    "globals",
}  # fmt: skip


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


class Found(NamedTuple):
    """What one reading of all files gives to all rules that ask for more than lines."""

    # (file, function, lines) of every function, decorators and docstring not counted.
    functions: list[tuple[str, str, int]]
    # file::test of tests that assert a time.
    asserted_times: set[str]
    # Files that make milliseconds or microseconds of the machine's clock.
    clocks: set[str]


@functools.cache
def found() -> Found:
    everything = Found([], set(), set())
    for path in FILES:
        text, name = path.read_text(encoding="utf-8"), name_of(path)
        tree = ast.parse(text, filename=name)
        everything.functions.extend((name, *function) for function in functions(tree))
        # Most files name no clock at all, and need not be looked through for one.
        if path.name.startswith("test_") and any(clock in text for clock in CLOCKS):
            everything.asserted_times.update(f"{name}::{test}" for test in asserted_times(tree))
        if path.relative_to(ROOT).parts[0] in RUNNING and "time_ns" in text and makes_a_clock(tree):
            everything.clocks.add(name)
    return everything


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            start = node.lineno
            if ast.get_docstring(node) is not None:
                start += (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, (node.end_lineno or node.lineno) - start + 1


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 50
    assert len(CORE) > 10


def test_files_fit_a_reader() -> None:
    long = {
        name_of(path): lines
        for path in FILES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
        and name_of(path) not in MAY_BE_LONGER
    }
    assert not long, f"more than {FILE_LINES_MAX} lines"


def test_functions_fit_a_screen() -> None:
    long = {
        f"{file}::{name}": lines
        for file, name, lines in found().functions
        if lines > FUNCTION_LINES_MAX and f"{file}::{name}" not in MAY_BE_LONGER
    }
    assert not long, f"more than {FUNCTION_LINES_MAX} lines"


def test_exceptions_are_still_needed() -> None:
    for entry in MAY_BE_LONGER:
        file, _, function = entry.partition("::")
        path = ROOT / file
        if function:
            assert dict(functions(tree_of(path))).get(function, 0) > FUNCTION_LINES_MAX, entry
        else:
            assert len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX, entry


def test_no_module_is_a_drawer() -> None:
    assert not [name_of(p) for p in FILES if DRAWERS & {*p.relative_to(ROOT).parent.parts, p.stem}]


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_has_no_clock_chance_float_or_unordered_iteration(path: Path) -> None:
    wrong: list[str] = []
    for node in ast.walk(tree_of(path)):
        what = _impurity(node)
        if what:
            wrong.append(f"{name_of(path)}:{getattr(node, 'lineno', 0)}: {what}")
    assert not wrong


def _impurity(node: ast.AST) -> str | None:
    match node:
        case ast.Import(names=names):
            found = {n.name.split(".")[0] for n in names} & FORBIDDEN_IN_CORE
            return f"imports {sorted(found)}" if found else None
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] in FORBIDDEN_IN_CORE:
            return f"imports from {module}"
        case ast.Constant(value=float() | complex()):
            return "a float"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return "true division"
        case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
            return "a negative power is a float"
        case ast.Set() | ast.SetComp():
            return "a set, whose order differs between runs"
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS_IN_CORE:
            return f"calls {name}()"
        case ast.AsyncFunctionDef() | ast.Await() | ast.Global():
            return "async or global state"
    return None


@pytest.mark.parametrize(
    "source",
    [
        "import time", "from time import monotonic", "from os.path import join", "x = 1.0", "x = 1 / 2",
        "x /= 2", "for x in {1, 2}: pass", "x = {y for y in z}", "set(x)", "float(x)", "10 ** -2",
        "import random as r",
        "async def f(): pass", "hash(x)",
    ],
)  # fmt: skip
def test_the_purity_check_sees_what_it_should(source: str) -> None:
    assert any(_impurity(node) for node in ast.walk(ast.parse(source)))


CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time"}
# An own pause beside the wall's: both grow on a slow machine.
MAY_ASSERT_TIME = {"tests/unit/exchange/test_pulse.py::test_a_pause_is_told_and_is_no_time_of_others"}


def asserted_times(tree: ast.Module) -> Iterator[str]:
    """Tests that assert how long something took. Giving up a wait that repeats is no such assertion."""
    for test in ast.walk(tree):
        if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        waits = {
            id(node) for loop in ast.walk(test) if isinstance(loop, ast.While) for node in ast.walk(loop)
        }
        for node in ast.walk(test):
            if (
                isinstance(node, ast.Assert)
                and id(node) not in waits
                and any(map(is_span, ast.walk(node.test)))
            ):
                yield test.name


def is_span(node: ast.AST) -> bool:
    """Whether it is a difference with a clock's time in it."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and any(map(is_clock, ast.walk(node)))


def is_clock(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=name)):
            return name in CLOCKS
    return False


def test_no_test_asserts_a_time() -> None:
    """On a busy machine such a test fails, and tells nothing: CI once refused a whole change for one."""
    assert found().asserted_times == MAY_ASSERT_TIME


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("assert time.monotonic() - began < 5", True),
        ("assert 1 < round(time.process_time() - began, 1) < 2", True),
        ("while True:\n        assert time.monotonic() - began < 60", False),
        ("assert len(found) - 1 == 2", False),
    ],
)
def test_the_rule_on_times_finds_them(body: str, is_found: bool) -> None:
    assert bool([*asserted_times(ast.parse(f"def test_it():\n    {body}\n"))]) is is_found


def makes_a_clock(tree: ast.Module) -> bool:
    """Whether whole milliseconds or microseconds are made of the machine's clock."""
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(
                left=ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="time_ns")),
                op=ast.FloorDiv(),
                right=ast.Constant(value=1_000 | 1_000_000),
            ):
                return True
    return False


def test_one_module_reads_the_wall_clock_for_all() -> None:
    assert found().clocks == {"exchange/wall_clock.py"}
