"""Suites of strangers' bots are green on the bench, each in an environment of its own.

The cheap twin: the two suites whose clients are in this project's environment run there in `make test`.
What a suite needs of a package without that package's own dependencies stands in `requirements-alone.txt`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import Exchange
from tests.bots.wheel import ROOT

SUITES = ROOT / "tests" / "bots" / "suites"
STRANGERS = ("grid_bot", "stopper_bot", "freqtrade_bot", "sdk_bot", "connector_bot", "hummingbot_bot")
PINS, ALONE = "requirements.txt", "requirements-alone.txt"
# hummingbot's own switch: its modules are built without optimizing, in a third of the time.
QUICK_BUILD = {"WITHOUT_CYTHON_OPTIMIZATIONS": "1"}
INSTALL_DEADLINE_S = 900
SUITE_DEADLINE_S = 600


@pytest.fixture(scope="session")
def exchange_with_past() -> Iterator[Exchange]:
    """Strategies look back."""
    with Exchange(history=True) as running:
        yield running


def test_every_suite_says_what_it_needs() -> None:
    names = {path.name for path in SUITES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert names == set(STRANGERS)
    for name in names:
        alone = SUITES / name / ALONE
        pins = (SUITES / name / PINS).read_text("utf-8").split()
        assert pins
        pins += alone.read_text("utf-8").split() if alone.exists() else []
        assert all(re.fullmatch(r"[a-z-]+==[\w.]+", pin) for pin in pins), name


@pytest.mark.thorough
@pytest.mark.timeout(INSTALL_DEADLINE_S + SUITE_DEADLINE_S)
@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_s_suite_is_green(name: str, tmp_path: Path, exchange_with_past: Exchange) -> None:
    venv, place = tmp_path / "venv", tmp_path / "project"
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
    for folder in ("tests", "tests/bots", "tests/bots/suites"):
        (place / folder / "__init__.py").touch()
    (place / "pytest.ini").write_text(
        "[pytest]\naddopts = -p bench.pytest_plugin\nasyncio_mode = auto\nmarkers = slow\n", "utf-8"
    )
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "tests"],
        cwd=place,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(place),
            "EXCHANGE_BENCH_URL": exchange_with_past.url,
        },
        capture_output=True, text=True, check=False, timeout=SUITE_DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert re.search(r"^([3-9]|[1-9]\d) passed", done.stdout, re.MULTILINE), done.stdout[-2_000:]
    assert "skipped" not in done.stdout
