"""`make run` and `make stack` choose the engine's build before anything has imported the engine."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import {module}
from matching_engine.build import _COMPILED, _module_name
print(*sorted(name for name in map(_module_name, _COMPILED) if name in sys.modules))
"""


@pytest.mark.parametrize(
    "module",
    ["local.__main__", "local.embedded", "local.stack", "matching_engine.main", "services.auditor.main"],
)
@pytest.mark.slow
def test_nothing_of_the_engine_is_imported_with_the_command(module: str) -> None:
    # An engine that is there already runs as it is, interpreted, whatever was asked for.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == []
