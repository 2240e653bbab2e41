"""An alarm on a metric that nobody emits never rings."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALARMS = ROOT / "infra" / "terraform" / "modules" / "observability"

# In a process of its own: the registry of this one also holds what other tests made.
EMITTED = """
import importlib, pkgutil, exchange, matching_engine, services
from prometheus_client import REGISTRY
for package in (exchange, matching_engine, services):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
for family in REGISTRY.collect():
    print(family.name + ("_total" if family.type == "counter" else ""))
"""


def test_every_alarm_names_a_metric_that_the_code_emits() -> None:
    output = subprocess.run(
        [sys.executable, "-c", EMITTED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    emitted = set(output.split())
    text = "".join(path.read_text(encoding="utf-8") for path in ALARMS.glob("*.tf"))
    alarmed = set(re.findall(r'"(exchange_\w+)"', text))
    assert len(alarmed) > 10
    assert alarmed <= emitted


def test_every_runbook_that_an_alarm_names_is_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ALARMS.glob("*.tf"))
    named = set(re.findall(r'runbook += "(\w+)"', text))
    assert len(named) > 5
    assert named <= {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
