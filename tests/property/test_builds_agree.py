"""The interpreted and the compiled engine are the same engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange.contracts.tables import EVENTS
from matching_engine import build
from tests.property.replay import SEED

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = 20_000
# The first process to ask compiles the engine, a minute's work for a core that others want too.
DEADLINE_S = 800
MISSING = build.can_compile()
pytestmark = pytest.mark.timeout(900)
needs_compiler = pytest.mark.skipif(MISSING is not None, reason=f"cannot compile: {MISSING}")


def replayed(kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.property.replay", kind, str(SEED), str(COMMANDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["build"] == kind
    return result


@needs_compiler
def test_both_builds_give_the_same_event_hashes_and_state() -> None:
    print(f"SEED={SEED}")
    interpreted, compiled = replayed("interpreted"), replayed("compiled")
    for record, (one, other) in enumerate(zip(interpreted["chains"], compiled["chains"], strict=True)):
        assert one == other, f"SEED={SEED}: the builds part at record {record}"
    assert interpreted["state_hash"] == compiled["state_hash"]
    assert interpreted["seq"] == compiled["seq"] > COMMANDS
    assert set(interpreted["kinds"]) >= {cls.__name__ for tag, (cls, _) in EVENTS.items() if tag >= 22}


@needs_compiler
@pytest.mark.slow
def test_engine_unit_tests_pass_on_the_compiled_build() -> None:
    # test_build.py starts builds of its own; its first test alone says which build the others ran on.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/engine"]
    command += ["-k", "not test_build or these_tests_run_on"]
    environment = {**os.environ, "EXCHANGE_ENGINE_BUILD": "compiled"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
