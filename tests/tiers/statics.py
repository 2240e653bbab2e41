"""What reads the code and runs none of it: ruff, mypy, import-linter."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ROOT", "Done", "run_statics"]

ROOT: Final = Path(__file__).resolve().parents[2]
_BIN: Final = Path(sys.executable).parent
_DEADLINE_S: Final = 600
_STATICS: Final = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import rules": ["lint-imports", "--no-logo"],
}


class Done(NamedTuple):
    """One part of a tier: how it ended, how long it took, and its output unless that went to the console."""

    name: str
    code: int
    took_s: float
    output: str = ""


def run_statics() -> list[Done]:
    """One after the other, all of them, whatever the first ones say."""
    return [_run(name, words) for name, words in _STATICS.items()]


def _run(name: str, words: list[str]) -> Done:
    began_s = time.monotonic()
    done = subprocess.run(
        [str(_BIN / words[0]), *words[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    return Done(name, done.returncode, time.monotonic() - began_s, done.stdout)
