"""Terraform for the tests: found once, one copy of its files for all, loudly missed when not there."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from infra.checks.terraform import Missing, Outcome, Terraform


@pytest.fixture(scope="session")
def terraform() -> Terraform:
    try:
        return Terraform.find()
    except Missing as missing:
        pytest.skip(f"THE TERRAFORM IS NOT CHECKED: {missing}")


@pytest.fixture(scope="session")
def tree(terraform: Terraform) -> Iterator[Path]:
    with terraform.copy() as copy:
        yield copy


@pytest.fixture(scope="session")
def outcome_of(terraform: Terraform, tree: Path) -> Callable[[str], Outcome]:
    """What became of a folder; each is run once."""
    return cache(lambda folder: terraform.check(tree, folder))
