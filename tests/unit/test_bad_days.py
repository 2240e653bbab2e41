"""Bad days: how the plan counts, and that nothing that is deployed can have any."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.http.routing import service_of_path
from local.bad_days.door import PATH
from local.bad_days.plan import BAD_DAYS_MAX, STREAM_KINDS, BadDay, Plan, PlanError
from local.options import LocalOptions

ROOT = Path(__file__).parents[2]
ANYBODY: frozenset[str] = frozenset()
SLOW = frozenset({"slow"})
# Every main module that an image runs (helm, compose), and the gateway's configuration.
MAINS = [*sorted((ROOT / "services").rglob("main.py")), ROOT / "matching_engine" / "main.py"]


def test_it_happens_as_often_as_ordered() -> None:
    plan = Plan()
    plan.order(BadDay("slow", times=2, skip=1))
    assert [plan.take(SLOW, ANYBODY, "/x") is not None for _ in range(5)] == [False, True, True, False, False]


def test_it_befalls_whom_it_was_ordered_for() -> None:
    plan = Plan()
    plan.order(BadDay("slow", api_key="mine", path="/api/v3/order", times=0))
    assert plan.take(SLOW, frozenset({"mine"}), "/api/v3/order")
    assert not plan.take(SLOW, frozenset({"yours"}), "/api/v3/order")
    assert not plan.take(SLOW, frozenset({"mine"}), "/api/v3/depth")
    assert not plan.take(STREAM_KINDS, frozenset({"mine"}), "/api/v3/order")


def test_a_skew_is_no_occasion() -> None:
    plan = Plan()
    plan.order(BadDay("clock-skew", api_key="mine", ms=-5))
    assert [plan.skew_ms(frozenset({"mine"})) for _ in range(3)] == [-5, -5, -5]
    assert plan.skew_ms(ANYBODY) == 0


def test_the_plan_is_bounded_and_forgets_what_is_over() -> None:
    plan = Plan()
    for _ in range(3 * BAD_DAYS_MAX):
        plan.order(BadDay("slow"))
        assert plan.take(SLOW, ANYBODY, "/x")
    for _ in range(BAD_DAYS_MAX):
        plan.order(BadDay("slow"))
    with pytest.raises(PlanError):
        plan.order(BadDay("slow"))
    plan.call_off()
    assert not plan.holds(SLOW)


def test_they_are_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAD_DAYS", raising=False)
    assert not LocalOptions.from_environment().bad_days
    monkeypatch.setenv("BAD_DAYS", "1")
    assert LocalOptions.from_environment().bad_days


def test_no_image_has_the_code() -> None:
    """The image copies three folders, and no process in it can import a local one."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    copied = set(re.findall(r"(?m)^COPY ([a-z_]+) ", dockerfile))
    assert copied == {"exchange", "matching_engine", "services"}


@pytest.mark.slow
def test_no_main_module_of_a_deployed_process_imports_it() -> None:
    modules = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in MAINS]
    assert len(modules) > 8
    program = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('local', 'bench')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_no_gateway_or_service_knows_the_path() -> None:
    """Deployed, it is a path like any other that does not exist: market data answer it with 404."""
    assert service_of_path(PATH) == "market-data"
    named = [
        path.relative_to(ROOT).as_posix()
        for folder in ("exchange", "services", "infra", "helm", "matching_engine")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".gz", ".zst", ".pyc")
        if b"local/bad-days" in path.read_bytes()
    ]
    assert named == []
