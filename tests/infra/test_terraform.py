"""Every module and environment: formatted, valid, its own tests pass, house rules hold for all resources."""

import datetime
import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.checks.iam import Iam
from infra.checks.judge import judged
from infra.checks.rules import violations
from infra.checks.terraform import ROOT, Outcome, Terraform, folders
from infra.schema.install import install

DESCRIBED = ("variable", "output")
# A minute each: staging composes the same modules. `make infra-test` and `make verify` run these.
THOROUGH = {"environments/production", "modules/exchange"}
LOOKED_UP = datetime.date(2026, 11, 29)

# The first one waits for the schema, which is downloaded and read once.
pytestmark = pytest.mark.timeout(900)


@functools.cache
def known_actions() -> Iam:
    """What IAM knows: megabytes, read once."""
    return Iam.read(install().iam)


def test_everything_is_formatted(terraform: Terraform) -> None:
    assert terraform.unformatted() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(folder, marks=pytest.mark.thorough) if folder in THOROUGH else folder
        for folder in folders()
    ],
)
def test_folder_is_valid_and_keeps_its_promises(outcome_of: Callable[[str], Outcome], folder: str) -> None:
    outcome = outcome_of(folder)
    assert outcome.errors == []
    assert outcome.failed == 0
    assert outcome.passed > 0
    # A day on which every version was supported: a test does not turn red by itself (`make infra-test` does).
    assert judged(outcome, known_actions(), LOOKED_UP) == []


@pytest.mark.parametrize("folder", folders())
def test_folder_is_complete(folder: str) -> None:
    files = {"main.tf", "variables.tf", "outputs.tf", "versions.tf"}
    if folder.startswith("modules/"):
        files.add("README.md")
    assert files - {path.name for path in (ROOT / folder).iterdir()} == set()
    assert list((ROOT / folder / "tests").glob("*.tftest.hcl"))


@pytest.mark.parametrize("folder", folders())
def test_variables_and_outputs_are_described(folder: str) -> None:
    for path in (ROOT / folder).glob("*.tf"):
        blocks = path.read_text(encoding="utf-8").split("\n\n")
        for block in blocks:
            if block.lstrip().startswith(tuple(f'{kind} "' for kind in DESCRIBED)):
                assert "description" in block, f"{path}: {block.splitlines()[0]}"


def test_every_file_of_variables_has_a_test() -> None:
    for path in (ROOT / "environments").glob("*/*.tfvars"):
        assert (path.parent / "tests" / f"{path.stem}.tftest.hcl").exists(), path


def test_environments_only_compose() -> None:
    for path in (ROOT / "environments").glob("*/*.tf"):
        if path.parent.name != "global":
            assert "\nresource " not in path.read_text(encoding="utf-8"), path


def _moves(folder: Path) -> list[tuple[str, str]]:
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    return re.findall(r"(?m)^moved \{\n  from = (.+)\n  to   = (.+)\n\}", text)


def _is_there(folder: Path, address: str) -> bool:
    """Whether the folder has this resource, in itself or in a module that it calls, whatever its key."""
    *modules, kind, name = re.sub(r"\[[^\]]*\]", "", address).split(".")
    for called in modules[1::2]:
        text = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
        source = re.search(rf'(?s)module "{called}" \{{\n  source *= "([^"]+)"', text)
        if source is None:
            return False
        folder = (folder / source[1]).resolve()
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    return f'resource "{kind}" "{name}" {{' in text


def test_what_was_moved_is_where_it_is_said_and_nowhere_else() -> None:
    """An estate that was applied before must not be torn down by a change of the modules' cut."""
    moves = [(path, one) for path in (ROOT / "modules").iterdir() for one in _moves(path)]
    assert len(moves) >= 20
    for path, (before, after) in moves:
        assert _is_there(path, after), after
        assert not _is_there(path, before), before
    assert len({(path, after) for path, (_, after) in moves}) == len(moves)


def test_no_group_has_a_name_that_its_replacement_would_collide_with() -> None:
    """A mocked provider invents what is not set, so a rule over resources would never see it."""
    text = "".join(path.read_text("utf-8") for path in sorted(ROOT.rglob("*.tf")))
    groups = re.findall(r'(?ms)^resource "aws_security_group" "\w+" \{\n(.*?)^\}', text)
    assert len(groups) >= 2
    for group in groups:
        assert re.search(r"(?m)^  name_prefix ", group), group


def test_of_a_name_that_two_regions_prove_there_is_one_record() -> None:
    environments = ROOT / "environments"
    assert "api_validation" in (environments / "global" / "main.tf").read_text("utf-8")
    for folder, has in (("production", "false"), ("staging", None)):
        text = (environments / folder / "main.tf").read_text("utf-8")
        found = re.search(r"(?m)^  validation_record\s*= (\w+)", text)
        assert (found[1] if found else None) == has, folder


def test_the_rules_see_what_they_should() -> None:
    everything = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    assert violations({"address": "a", "type": "aws_iam_role_policy", "values": {"policy": everything}})
    assert violations({"address": "a", "type": "aws_s3_bucket_public_access_block", "values": {}})
    assert violations(
        {
            "address": "a",
            "type": "aws_vpc_security_group_ingress_rule",
            "values": {"cidr_ipv4": "10.0.0.0/8", "from_port": 5432},
        }
    )
    assert violations(
        {
            "address": "a",
            "type": "aws_eks_node_group",
            "values": {"labels": {"exchange/pool": "engine"}, "capacity_type": "SPOT"},
        }
    )
