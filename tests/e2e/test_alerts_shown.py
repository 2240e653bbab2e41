"""`make stack` shows its alerts where the machine has Prometheus, and starts as well where it has none."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from local.exchange_process import ExchangeProcess
from local.servers import prometheus

pytestmark = [pytest.mark.timeout(300)]
ALERTS = Path(__file__).parents[2] / "infra" / "prometheus" / "alerts.yml"
WAIT_S = 90.0
needs_prometheus = pytest.mark.skipif(not prometheus.is_there(), reason="no prometheus on the path")


def test_its_file_names_each_process_and_the_alerts() -> None:
    config = yaml.safe_load(prometheus.configuration({"order": 18_001, "user": 18_002}, ALERTS))
    assert config["rule_files"] == [str(ALERTS)]
    (job,) = config["scrape_configs"]
    assert [(one["targets"], one["labels"]["process"]) for one in job["static_configs"]] == [
        (["127.0.0.1:18001"], "order"),
        (["127.0.0.1:18002"], "user"),
    ]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on the path")
@pytest.mark.slow
def test_prometheus_itself_takes_the_file_and_every_alert(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(prometheus.configuration({"order": 18_001}, ALERTS), "utf-8")
    done = subprocess.run(
        ["promtool", "check", "config", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"SUCCESS: \d+ rules found", done.stdout)


@needs_prometheus
@pytest.mark.integration
@pytest.mark.thorough
def test_a_stack_is_watched_process_by_process() -> None:
    with ExchangeProcess("stack", settings={"PROMETHEUS": "1"}) as exchange:
        log = exchange.data_dir / "console.log"
        until(lambda: "alerts  " in log.read_text("utf-8"), lambda: {"said": log.read_text("utf-8")})
        found = re.search(r"alerts +(http://127\.0\.0\.1:\d+)/alerts", log.read_text("utf-8"))
        assert found is not None
        with httpx.Client(base_url=found[1], trust_env=False, timeout=10.0) as client:
            until(lambda: set(health(client).values()) == {"up"}, lambda: health(client))
            assert {"engine-0", "order", "user", "notifier", "auditor"} <= set(health(client))
            rules = client.get("/api/v1/rules").json()["data"]["groups"]
            assert {"EngineNotLeading", "AuditorRed"} <= {
                one["name"] for group in rules for one in group["rules"]
            }


def health(client: httpx.Client) -> dict[str, str]:
    """How each process was when it was last asked, by its name."""
    targets = client.get("/api/v1/targets").json()["data"]["activeTargets"]
    return {one["labels"]["process"]: one["health"] for one in targets}


def until(is_so: Callable[[], bool], now: Callable[[], dict[str, str]]) -> None:
    """Wait for it. Raises AssertionError with what there is instead."""
    give_up = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < give_up, json.dumps(now())
        time.sleep(0.5)
