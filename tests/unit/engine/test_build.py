"""Promises of matching_engine/build.py. Each activation takes a process of its own."""

import ast
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from matching_engine import build

ROOT = Path(__file__).resolve().parents[3]
REPORT = """
from matching_engine import build
print(build.activate({mode!r}))
print(build.active_build().kind)
"""
needs_compiler = pytest.mark.skipif(build.can_compile() is not None, reason=f"{build.can_compile()}")


def activated(mode: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", REPORT.format(mode=mode)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=build.COMPILE_DEADLINE_S,
    )


def imports_of(path: Path) -> set[str]:
    """The modules of our own that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if (ROOT / f"{name.replace('.', '/')}.py").exists()}


def test_the_compiler_gets_all_that_its_sources_import() -> None:
    given = {*build._COMPILED, *build._INTERPRETED}
    assert "exchange/contracts/codec.py" in given
    for source in sorted(given):
        missing = {f"{name.replace('.', '/')}.py" for name in imports_of(ROOT / source)} - given
        assert not missing, f"{source} imports them"


def test_these_tests_run_on_the_build_that_was_asked_for() -> None:
    wanted = os.environ.get("EXCHANGE_ENGINE_BUILD", "auto")
    assert wanted in ("auto", build.active_build().kind)


def test_interpreted_engine_comes_from_the_checkout() -> None:
    done = activated("interpreted")
    assert done.stdout.splitlines() == ["engine: interpreted (as asked for)", "interpreted"]


def test_without_a_compiler_the_engine_runs_interpreted_and_says_why(tmp_path: Path) -> None:
    done = activated("auto", CC="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout.splitlines() == [
        "engine: interpreted (no C compiler (no-such-compiler))",
        "interpreted",
    ]


def test_without_a_compiler_the_compiled_engine_is_refused(tmp_path: Path) -> None:
    done = activated("compiled", CC="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "BuildError: no C compiler (no-such-compiler)" in done.stderr


@needs_compiler
@pytest.mark.slow
def test_failing_compiler_leads_to_the_interpreted_engine(tmp_path: Path) -> None:
    done = activated("auto", CC="false", XDG_CACHE_HOME=str(tmp_path))
    assert "interpreted (mypyc failed" in done.stdout
    assert done.stdout.splitlines()[-1] == "interpreted"
    assert not list(tmp_path.glob("exchange/engine-*/"))
    assert not list(tmp_path.glob("exchange/building-*"))


@needs_compiler
@pytest.mark.slow
def test_a_builder_is_told_how_long_it_may_compile(tmp_path: Path) -> None:
    """One that emulates another processor needs many times the default."""
    done = subprocess.run(
        [sys.executable, "-m", "matching_engine.build", "--deadline-s", "0.001"],
        cwd=ROOT,
        env={**os.environ, "EXCHANGE_ENGINE_BUILD": "compiled", "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 1
    assert "BuildError: compiling did not end by its deadline" in done.stderr


@needs_compiler
def test_what_could_not_be_compiled_is_not_tried_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start on a slow machine waited five minutes for a compiler that did not come to its end."""
    tries: list[float] = []

    def never_ends(process: object, deadline: float, stop: threading.Event) -> str:
        tries.append(deadline)
        raise build._FailedError("compiling did not end by its deadline")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_output", never_ends)
    for _ in range(3):
        with pytest.raises(build.BuildError, match="did not end by its deadline"):
            build._built(60.0, threading.Event(), is_asked_again=False)
    assert len(tries) == 1
    with pytest.raises(build.BuildError, match=r"to try again: python -m matching_engine\.build"):
        build._built(60.0, threading.Event(), is_asked_again=False)
    with pytest.raises(build.BuildError):
        build._built(60.0, threading.Event(), is_asked_again=True)
    assert len(tries) == 2


@needs_compiler
def test_who_is_told_to_stop_ends_the_compiler_and_remembers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM waited for the compiler's deadline."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stop = threading.Event()
    stop.set()
    with pytest.raises(build.BuildError, match="was stopped"):
        build._built(600.0, stop, is_asked_again=False)
    assert [path.name for path in (tmp_path / "exchange").iterdir()] == ["engine.lock"]


@needs_compiler
def test_cache_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "exchange"
    folder.mkdir()
    folder.chmod(0o777)
    done = activated("auto", XDG_CACHE_HOME=str(tmp_path))
    assert "can be written by others" in done.stdout


@needs_compiler
@pytest.mark.thorough
@pytest.mark.timeout(700)
def test_processes_that_start_together_compile_once_and_leave_the_checkout_clean(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: activated("compiled", XDG_CACHE_HOME=str(tmp_path)), range(2)))
    assert [run.stdout.splitlines() for run in runs] == [["engine: compiled (mypyc)", "compiled"]] * 2
    assert sum("engine: compiled in" in run.stderr for run in runs) == 1
    assert len(list(tmp_path.glob("exchange/engine-*/COMPLETE"))) == 1
    later = activated("compiled", CC="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert later.stdout.splitlines()[-1] == "compiled", "a build that is there needs no compiler"
    for package in ("exchange", "matching_engine", "services"):
        assert not list((ROOT / package).rglob("*.so"))


def test_a_build_cannot_be_chosen_after_the_engine_was_imported() -> None:
    running = build.active_build().kind
    other = "interpreted" if running == "compiled" else "compiled"
    assert build.activate("auto").kind == running
    assert build.activate(running).kind == running
    with pytest.raises(build.BuildError, match="was imported before"):
        build.activate(other)


def test_unknown_build_is_refused() -> None:
    with pytest.raises(ValueError, match="none of auto, compiled, interpreted"):
        build.activate("fast")
