"""One run of pytest: which tests, in how many processes, beside which servers."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from infra.schema.install import cache_folder
from tests.tiers.groups import GroupTime, times
from tests.tiers.servers import shared_servers
from tests.tiers.statics import ROOT, Done

__all__ = ["Choice", "PytestRun", "run_pytest", "with_bytecode_kept"]

_NO_TESTS: Final = 5


class Choice(NamedTuple):
    """`marked`: the marker expression. `folders`: where to look, all of tests/ when empty."""

    marked: str
    folders: tuple[str, ...] = ()
    needs_servers: bool = True


class PytestRun(NamedTuple):
    """What a run came to."""

    done: Done
    groups: list[GroupTime]


def run_pytest(name: str, choice: Choice, arguments: Sequence[str], processes: int) -> PytestRun:
    """Run them; their output goes to the console as it comes."""
    began_s = time.monotonic()
    with contextlib.ExitStack() as stack:
        told = stack.enter_context(shared_servers()) if choice.needs_servers else {}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exchange-junit-")))
        report = folder / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", choice.marked, f"--junitxml={report}"]
        command += _spread(processes)
        command += [*(choice.folders if not _names_tests(arguments) else ()), *arguments]
        code = _call(command, told)
        groups = times(report)
    return PytestRun(
        Done(name, 0 if code == _NO_TESTS and arguments else code, time.monotonic() - began_s), groups
    )


def _spread(processes: int) -> list[str]:
    """Tests that share an exchange stay in one process (tests/conftest.py groups them)."""
    return ["-n", str(processes), "--dist", "loadgroup"] if processes > 1 else []


def _names_tests(arguments: Sequence[str]) -> bool:
    """Whether whoever called has chosen files or folders."""
    return any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if argument[:1] != "-")


def _call(command: Sequence[str], told: Mapping[str, str]) -> int:
    environment = with_bytecode_kept(os.environ)
    return subprocess.run(command, cwd=ROOT, env={**environment, **told}, check=False).returncode


def with_bytecode_kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Who wants no bytecode beside the sources gets it in the cache's folder.

    Without any, each of the hundreds of processes that tests start compiles every module that it imports:
    twice the processor time of a start, three times that of the collection of tests.
    """
    kept = dict(environment)
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        kept.setdefault("PYTHONPYCACHEPREFIX", str(cache_folder() / "bytecode"))
    return kept
