"""Alerts ask for metrics that exist, in expressions that can be read, and each has its page.

Read as text: nothing in the project needs a YAML parser (see tests/unit/test_compose.py).
"""

import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALERTS = (ROOT / "infra" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
RUNBOOKS = ROOT / "docs" / "runbooks"
PARTS = ("What it means.", "Who is hurt.", "Look first.", "What to do.", "Over when.")
# Made by Prometheus, and by prometheus_client on Linux.
BUILT_IN = {
    "up",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}
# Of parts that are built beside this one: the auditor, and the archive of the logs.
COMING = {
    "exchange_auditor_red",
    "exchange_auditor_breaches_total",
    "exchange_archive_lag_records",
}
SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
NAME = re.compile(r"\b(?:exchange|process)_[a-z_]+\b(?!/)|\bup\b(?=[{ ])")


def rules() -> Iterator[tuple[str, str]]:
    """(name, expression) of every alert."""
    for rule in re.split(r"(?m)^      - alert: ", ALERTS)[1:]:
        name = rule.split("\n", 1)[0]
        found = re.search(r"(?ms)^        expr: (?:>-\n)?(.+?)(?=^        \w)", rule)
        assert found, name
        yield name, " ".join(found[1].split())


@functools.cache
def emitted() -> set[str]:
    """Every metric that the code defines, as Prometheus sees it."""
    names: set[str] = set()
    for top in ("exchange", "local", "matching_engine", "services"):
        for path in (ROOT / top).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            for kind, name in re.findall(r'(Counter|Gauge|Histogram)\(\s*"(exchange_\w+)"', source):
                names |= {name.removesuffix("_total") + suffix for suffix in SUFFIXES[kind]}
    return names


RULES = dict(rules())


def test_there_are_alerts() -> None:
    assert len(RULES) == ALERTS.count("- alert:") > 10


@pytest.mark.parametrize("name", RULES)
def test_alert_asks_for_metrics_that_exist(name: str) -> None:
    asked = set(NAME.findall(RULES[name]))
    assert asked
    assert asked <= emitted() | BUILT_IN | COMING


@pytest.mark.parametrize("name", RULES)
def test_alert_names_only_labels_that_its_metrics_have(name: str) -> None:
    labels = set(re.findall(r"(\w+)=~?\"", RULES[name]))
    assert labels <= {"job", "instance", "endpoint", "code", "sender", "kind", "reason"}


@pytest.mark.skipif(importlib.util.find_spec("promql_parser") is None, reason="no parser for this platform")
@pytest.mark.parametrize("name", RULES)
def test_alert_is_promql(name: str) -> None:
    import promql_parser

    promql_parser.parse(RULES[name])


@pytest.mark.parametrize("name", RULES)
def test_alert_has_a_severity_and_a_summary(name: str) -> None:
    rule = ALERTS.split(f"- alert: {name}\n", 1)[1].split("- alert:", 1)[0]
    assert re.search(r"labels: \{severity: (page|ticket)\}", rule)
    assert re.search(r"annotations: \{summary: [^{}]+\}", rule)


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(RULES)


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_page_says_what_whom_where_how_and_when(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem}\n")
    places = [text.find(f"**{part}**") for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    asked = set(NAME.findall(text))
    assert asked <= emitted() | BUILT_IN | COMING, asked - emitted()


@pytest.mark.skipif(importlib.util.find_spec("promql_parser") is None, reason="no parser for this platform")
@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_queries_of_a_page_are_promql(path: Path) -> None:
    import promql_parser

    for block in re.findall(r"(?s)```\n(.+?)```", path.read_text(encoding="utf-8")):
        for line in block.splitlines():
            query = line.split("  #")[0].strip()
            if NAME.search(query) and not query.startswith(("curl", "docker", ".venv")):
                promql_parser.parse(query)


def test_settings_that_pages_name_exist() -> None:
    from exchange.process.config import Settings

    for path in RUNBOOKS.glob("*.md"):
        for name in re.findall(r"\bEXCHANGE_([A-Z_]+)\b", path.read_text(encoding="utf-8")):
            assert name.lower() in Settings.model_fields, (path.stem, name)
