"""The Terraform applied by the provider itself to an emulator: as far as it is said to go, it goes."""

import re
from pathlib import Path

import pytest

from infra.checks.terraform import ROOT, Missing
from tests.rehearsal import provider as providers
from tests.rehearsal.applying import FORGOTTEN, NOT_APPLIED, ROOTS, emulated, rehearse


def test_every_module_is_applied_or_it_is_said_why_not() -> None:
    modules = {path.name for path in (ROOT / "modules").iterdir()}
    applied = {
        name for root in ROOTS for name in re.findall(r'"\.\./modules/(\w+)"', root.read_text("utf-8"))
    }
    # What a module calls itself is applied with it.
    called = {
        name
        for module in applied
        for path in (ROOT / "modules" / module).glob("*.tf")
        for name in re.findall(r'source\s*=\s*"\.\./(\w+)"', path.read_text("utf-8"))
    }
    assert applied | called | set(NOT_APPLIED) == modules
    assert not (applied | called) & set(NOT_APPLIED)


@pytest.mark.thorough
@pytest.mark.timeout(900)
@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.stem)
def test_it_is_applied_changes_nothing_the_second_time_and_goes_again(root: Path, tmp_path: Path) -> None:
    try:
        provider = providers.found()
    except Missing as missing:
        pytest.skip(f"NOTHING WAS APPLIED: {missing}")
    if provider is None:
        pytest.skip("NOTHING WAS APPLIED: make rehearsal builds the provider, once")
    with emulated() as url:
        outcome = rehearse(provider, url, root, tmp_path)
    assert outcome.created > 3
    assert {key: where for key, where in outcome.changes.items() if key not in FORGOTTEN} == {}
