"""docs/estate.md names only what is there, and leaves nothing out that is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infra" / "terraform"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "estate.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| part ")
]
STATUS, TERRAFORM_CELL, PROOF = 1, 2, 5


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def folder_of(name: str) -> Path:
    return TERRAFORM / name if name.startswith(("modules/", "environments/")) else ROOT / name


def is_there(name: str) -> bool:
    place, _, item = name.partition("::")
    path = folder_of(place)
    if not path.exists():
        return False
    if not item:
        return True
    if place.startswith("modules/"):
        return any(f'run "{item}"' in file.read_text("utf-8") for file in path.glob("tests/*.tftest.hcl"))
    return f"def {item}(" in path.read_text("utf-8")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_part_names_what_is_there_and_says_how_it_stands(row: list[str]) -> None:
    assert len(row) == 6
    assert not [name for cell in row for name in names(cell) if not is_there(name)]
    assert re.match(r"works\b|open: \w", row[STATUS])
    assert names(row[PROOF])


def test_every_module_has_its_part() -> None:
    named = {name for row in ROWS for name in names(row[TERRAFORM_CELL])}
    assert {f"modules/{path.name}" for path in (TERRAFORM / "modules").iterdir()} <= named


def test_every_adapter_of_aws_has_its_part() -> None:
    named = {name for row in ROWS for cell in row for name in names(cell)}
    adapters = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "exchange" / "adapters").rglob("*.py")
        if re.search(
            r"^import boto3|aws.session import connect$|= AwsCalls\(", path.read_text("utf-8"), re.MULTILINE
        )
    }
    shared = {f"exchange/adapters/aws/{name}.py" for name in ("calls", "session")} | {
        "exchange/adapters/chosen/market_history.py"
    }
    assert adapters - shared <= named


def test_the_check_sees_what_is_not_there() -> None:
    assert not is_there("modules/edge::no_such_run")
    assert not is_there("tests/unit/test_estate.py::test_nothing")
    assert not is_there("exchange/adapters/nothing.py")
