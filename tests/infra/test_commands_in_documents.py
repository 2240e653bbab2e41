"""What the documents tell a new user to type is what the programs, files and the Terraform know."""

import pytest

from tests.helm.charts import ROOT
from tests.infra.commands import commands, problems
from tests.infra.sections import sections, unknown_values, unset

DOCUMENTS = ("docs/deploy.md", "docs/images.md", "docs/operator.md", "docs/estate.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_is_one_that_works_as_far_as_can_be_told(document: str) -> None:
    found = list(commands((ROOT / document).read_text("utf-8")))
    assert [problem for command in found for problem in problems(command)] == []


def test_the_documents_have_commands_of_every_program() -> None:
    """Else the check looks at nothing."""
    found = [command.words[0] for command in commands((ROOT / "docs" / "deploy.md").read_text("utf-8"))]
    assert {"aws", "helm", "kubectl", "terraform"} <= set(found)
    assert len(found) > 30


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("aws s3api put-bucket-versionin --bucket b", "aws knows no s3api put-bucket-versionin"),
        ("aws rds failover-global-cluster --allow-loss", "rds failover-global-cluster has no --allow-loss"),
        ("helm upgrade --install x helm/exchange --atomicc", "helm upgrade has no --atomicc"),
        (
            "helm upgrade x helm/exchange -f helm/exchange/values-prod.yaml",
            "there is no helm/exchange/values-prod.yaml",
        ),
        ("kubectl create configmap c --from-fil=a", "kubectl create configmap has no --from-fil"),
        (
            "terraform -chdir=infra/terraform/environments/global output repositorys",
            "global has no output repositorys",
        ),
        (
            "terraform -chdir=infra/terraform/environments/global apply -var zonee=x",
            "global has no variable zonee",
        ),
        (
            "terraform -chdir=infra/terraform/environments/staging apply -var load_balancer_name=null",
            "load_balancer_name=null is the text null",
        ),
        (
            "cd infra/terraform/environments/production\nterraform apply -var-file=third.tfvars",
            "no third.tfvars",
        ),
        ("make infra-tests", "there is no target infra-tests"),
        ("python -m services.rebuilt", "there is no module services.rebuilt"),
        ("export X=$(aws ecr describe-image --repository-name exchange)", "aws knows no ecr describe-image"),
        (
            "zip -X /tmp/r.zip infra/functions/rotation/handle.py",
            "there is no infra/functions/rotation/handle.py",
        ),
    ],
)
def test_the_check_sees_what_is_wrong(typed: str, wrong: str) -> None:
    said = {problem for command in commands(f"```bash\n{typed}\n```\n") for problem in problems(command)}
    assert len(said) == 1
    assert wrong in said.pop()


def test_a_file_that_an_earlier_command_wrote_is_there() -> None:
    typed = "```bash\nterraform -chdir=infra/terraform/environments/production output -raw helm_values "
    typed += "> values-aws.yaml\n"
    typed += "helm upgrade --install x helm/exchange -f values-aws.yaml\n```\n"
    assert [problem for command in commands(typed) for problem in problems(command)] == []


DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")
_ENVIRONMENTS = "infra/terraform/environments"
LEADING = (f"{_ENVIRONMENTS}/production", f"{_ENVIRONMENTS}/staging")
# Which folders take each file of values that the document writes.
FOLDERS = {
    "global.tfvars": (f"{_ENVIRONMENTS}/global",),
    "delivery.tfvars": (f"{_ENVIRONMENTS}/global",),
    "leading.tfvars": LEADING,
    "names.tfvars": LEADING,
    "joined.tfvars": LEADING[:1],
    "standby.tfvars": LEADING[:1],
    "moved.tfvars": LEADING[:1],
}
# Of two regions, which staging never has.
TWO_REGIONS = {"multi_region", "database_secret_arn"}


def test_every_variable_is_set_before_it_is_read_in_the_shell_that_reads_it() -> None:
    assert unset(DEPLOY) == []


def test_files_of_values_name_what_the_terraform_knows() -> None:
    found = unknown_values(DEPLOY, FOLDERS)
    staging = f"{LEADING[1]} has no variable "
    assert [each for each in found if each.removeprefix(staging).split()[0] not in TWO_REGIONS] == []
    assert len(found) == len(TWO_REGIONS)


def test_each_section_begins_and_ends_at_the_root() -> None:
    for section in sections(DEPLOY):
        ended = [*commands(f"```bash\n{section.script}\ntrue\n```\n")][-1]
        assert ended.folder == ROOT, section.title


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("## 1\n```bash\necho $NOBODY\n```\n", ["1: $NOBODY in: echo $NOBODY"]),
        ("## 1\n```bash\nexport A=1 B=$A\n```\n", ["1: $A in: export A=1 B=$A"]),
        ("## 1\n```bash\nA=1\nexport B=$A\necho '$C' \"$B\"   # $D\n```\n", []),
        ("## 1\n```bash\nfor a in 1; do echo $a; done\necho '{print $1}' '$x'\n```\n", []),
        (
            "## 1\n```bash\nA=1\n```\n## In a new shell\n```bash\nB=1\n```\n## 2\n```bash\necho $A $B\n```\n",
            ["2: $A in: echo $A $B"],
        ),
        (
            "## 1\n```bash\nA=1\n```\n### 2\nA new shell, then.\n```bash\necho $A\n```\n",
            ["2: $A in: echo $A"],
        ),
        ("## 1\n```bash\nA=1\nunset A\necho $A\n```\n", ["1: $A in: echo $A"]),
    ],
)
def test_a_variable_that_nobody_has_set_is_seen(typed: str, wrong: list[str]) -> None:
    assert unset(typed) == wrong
