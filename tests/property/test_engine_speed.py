"""From record to record the compiled engine stays as fast as it is, by a yardstick of the same run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matching_engine import build

ROOT = Path(__file__).resolve().parents[2]
# Some six on a quiet machine; 28 while each event was packed twice and hashed apart (commit 5ba96b3).
YARDSTICKS_MAX = 16
# The first process to ask compiles the engine, a minute's work for a core that others want too.
DEADLINE_S = 800
MISSING = build.can_compile()
MEASURE = """
import json
from matching_engine import build
build.activate("compiled")
from loadtest.bench.record_path import measured_traffic, yardstick_us
runs = []
# A neighbour takes the caches of some runs, and never makes one faster than it is.
while len(runs) < 8 and not (runs and min(runs) < {max}):
    before = yardstick_us()
    traffic = measured_traffic(7, 20_000)
    runs.append(traffic["record_to_record"]["us"] / max(before, yardstick_us()))
print(json.dumps({"yardsticks": min(runs), "trades": traffic["trades"]}))
""".replace("{max}", str(YARDSTICKS_MAX))


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=f"cannot compile: {MISSING}")
def test_a_command_costs_no_more_yardsticks_than_it_did() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["trades"] > 1_000, "a market in which nothing trades costs nothing"
    assert found["yardsticks"] < YARDSTICKS_MAX
