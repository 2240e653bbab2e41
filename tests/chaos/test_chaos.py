"""A short campaign: a kill, a pause and an armed crash under load; nothing that was promised is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.exchange_process import ROOT
from tests.chaos.report import read_rounds

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(420)]

SEED = 20_261_124
KILLS = 5
RATE = 120


def test_stack_under_load_keeps_its_promises_through_faults(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    command = [sys.executable, "-m", "tests.chaos", "--kills", str(KILLS), "--rate", str(RATE)]
    command += ["--seed", str(SEED), "--reports", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as campaign:
        try:
            output, _ = campaign.communicate(timeout=400)
        finally:
            # In order, so that its stack goes too.
            campaign.terminate()
    print(output)
    assert campaign.returncode == 0
    (report,) = tmp_path.glob("chaos-*.json")
    result = json.loads(report.read_text())
    (first,) = result["rounds"]
    assert first["counts"] == {"lost": 0, "doubled": 0, "broken": 0}
    assert sum(one["skipped"] is None for one in first["struck"]) >= KILLS - 1
    assert first["figures"]["orders_acknowledged"] > 0
    assert len(read_rounds(report)[0].struck) == KILLS
