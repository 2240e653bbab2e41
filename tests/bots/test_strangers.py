"""Suites of strangers' bots are green, each in an environment of its own: on the bench, and on a stack.

On the stack, with its real Kafka, they have what anybody has: the public API (bench/public_doors.py). Tests
that want what only a bench can, bad days above all, are left out there, and counted.

The cheap twins: the two suites whose clients are in this project's environment run there in `make test`, and
tests/bots/test_public_doors.py tries the public doors. What a suite needs of a package without that package's
own dependencies stands in `requirements-alone.txt`.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import Exchange
from local.exchange_process import ExchangeProcess
from tests.bots.wheel import ROOT

SUITES = ROOT / "tests" / "bots" / "suites"
STRANGERS = (
    "grid_bot",
    "stopper_bot",
    "freqtrade_bot",
    "sdk_bot",
    "connector_bot",
    "nautilus_bot",
    "hummingbot_bot",
)
PINS, ALONE = "requirements.txt", "requirements-alone.txt"
# hummingbot's own switch: its modules are built without optimizing, in a third of the time.
QUICK_BUILD = {"WITHOUT_CYTHON_OPTIMIZATIONS": "1"}
TESTS_MIN = 5
INSTALL_DEADLINE_S = 900
SUITE_DEADLINE_S = 600


@dataclass(frozen=True)
class Stranger:
    """A suite, laid out in `place` as in a project of its own, and the interpreter that has its pins."""

    name: str
    python: str
    place: Path


@pytest.fixture(scope="session", params=STRANGERS)
def stranger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """Installed once for both exchanges, and gone before the next: some take a gigabyte."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    venv, place = folder / "venv", folder / "project"
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True, timeout=300)
    python = str(venv / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "-r", str(SUITES / name / PINS)], check=True, timeout=INSTALL_DEADLINE_S)
    if (SUITES / name / ALONE).exists():
        alone = [*install, "--no-deps", "-r", str(SUITES / name / ALONE)]
        subprocess.run(alone, check=True, timeout=INSTALL_DEADLINE_S, env={**os.environ, **QUICK_BUILD})
    # Of the exchange the stranger has this package alone, and of this project's tests his own.
    shutil.copytree(ROOT / "bench", place / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SUITES / name, place / "tests" / "bots" / "suites" / name)
    for package in ("tests", "tests/bots", "tests/bots/suites"):
        (place / package / "__init__.py").touch()
    (place / "pytest.ini").write_text(
        "[pytest]\naddopts = -p bench.pytest_plugin\nasyncio_mode = auto\nmarkers = slow\n", "utf-8"
    )
    yield Stranger(name, python, place)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def exchange_with_past() -> Iterator[Exchange]:
    """Strategies look back."""
    with Exchange(history=True) as running:
        yield running


@pytest.fixture(scope="session")
def stack() -> Iterator[ExchangeProcess]:
    """The exchange as it is deployed: every part a process, over Kafka, behind nginx."""
    with ExchangeProcess("stack") as process:
        yield process


def counts(stranger: Stranger, variable: str, url: str) -> dict[str, int]:
    """Run the suite on an exchange: how many of its tests did what. All that ran have passed."""
    done = subprocess.run(
        [stranger.python, "-m", "pytest", "-q", "--tb=short", "tests"],
        cwd=stranger.place,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(stranger.place.parent),
            "PYTHONPATH": str(stranger.place),
            variable: url,
        },
        capture_output=True, text=True, check=False, timeout=SUITE_DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    last_line = done.stdout.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last_line.split(" in ")[0])}


def marked(name: str) -> int:
    """How many tests of the suite want a bench, one of them for each of its parameters."""
    text = "".join(path.read_text("utf-8") for path in sorted((SUITES / name).glob("test_*.py")))
    return len(re.findall(r"^@pytest\.mark\.bench_doors$", text, re.MULTILINE))


def test_every_suite_says_what_it_needs() -> None:
    names = {path.name for path in SUITES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert names == set(STRANGERS)
    for name in names:
        alone = SUITES / name / ALONE
        pins = (SUITES / name / PINS).read_text("utf-8").split()
        assert pins
        pins += alone.read_text("utf-8").split() if alone.exists() else []
        assert all(re.fullmatch(r"[a-z_-]+==[\w.]+", pin) for pin in pins), name


def test_a_stranger_needs_nothing_of_the_project_but_the_bench_s_own_package() -> None:
    """What stands in bench/ itself is copied into his project, where the exchange's packages are not."""
    for path in sorted((ROOT / "bench").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            roots = {name.partition(".")[0] for name in names}
            ours = {root for root in roots if (ROOT / root).is_dir()} - {"bench"}
            assert not ours, f"{path.name}: {ours}"


@pytest.mark.thorough
@pytest.mark.timeout(INSTALL_DEADLINE_S + SUITE_DEADLINE_S)
def test_a_stranger_s_suite_is_green(stranger: Stranger, exchange_with_past: Exchange) -> None:
    found = counts(stranger, "EXCHANGE_BENCH_URL", exchange_with_past.url)
    assert set(found) <= {"passed", "warnings", "warning"}
    assert found["passed"] >= TESTS_MIN


@pytest.mark.thorough
@pytest.mark.timeout(INSTALL_DEADLINE_S + SUITE_DEADLINE_S)
def test_a_stranger_s_suite_is_green_on_a_stack(stranger: Stranger, stack: ExchangeProcess) -> None:
    found = counts(stranger, "EXCHANGE_BENCH_PUBLIC_URL", stack.url)
    assert set(found) <= {"passed", "deselected", "warnings", "warning"}
    assert found["passed"] >= TESTS_MIN - 1
    assert found.get("deselected", 0) >= marked(stranger.name)
    assert bool(found.get("deselected")) == bool(marked(stranger.name))
