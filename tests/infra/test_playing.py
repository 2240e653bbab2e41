"""The played programs refuse what the real ones or AWS would refuse: else the walk is none."""

from pathlib import Path

import pytest

from tests.helm.charts import ROOT
from tests.infra.playing import Estate, Refused, Told
from tests.infra.playing_aws import Aws, AwsError

ENVIRONMENTS = ROOT / "infra" / "terraform" / "environments"
GOOD = 'zone = "example.com"\nimage_repository = "1.dkr.ecr.eu-central-1.amazonaws.com/exchange"\n'


def estate(*states: str) -> Estate:
    """Staging's folders are initialised, and these states have been applied in eu-central-1."""
    found = Estate(Aws("http://127.0.0.1:9"), ROOT, "")
    for folder, key in (("staging", "staging.tfstate"), ("staging/platform", "staging-platform.tfstate")):
        found.backends[ENVIRONMENTS / folder, ".terraform"] = ("states", key, "eu-central-1")
    found.states |= {("states", key): "eu-central-1" for key in states}
    return found


def told(folder: str, *words: str, **environment: str) -> Told:
    return Told([*words], ENVIRONMENTS / folder, environment, bytes)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (GOOD + 'zonee = "x"\n', "staging has no .'zonee'"),
        ('zone = "example.com"\n', "No value for required variable: .'image_repository'"),
        (GOOD + 'region = "eu-west-1"\n', "is of eu-central-1, these values are of eu-west-1"),
        (GOOD + 'image_digest = ""\n', "nothing was put into .'image_digest'"),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path: Path, values: str, wrong: str) -> None:
    (tmp_path / "x.tfvars").write_text(values, encoding="utf-8")
    with pytest.raises(Refused, match=wrong):
        estate("staging.tfstate").answer(
            "terraform", told("staging", "apply", f"-var-file={tmp_path}/x.tfvars")
        )


def test_a_file_of_values_that_nobody_wrote_stops_the_apply() -> None:
    with pytest.raises(FileNotFoundError):
        estate().answer("terraform", told("staging", "apply", "-var-file=nobody.tfvars"))


def test_a_folder_of_the_other_region_s_shell_is_not_initialised() -> None:
    with pytest.raises(Refused, match="initialization required"):
        estate().answer(
            "terraform", told("staging", "output", "-raw", "helm_values", TF_DATA_DIR=".terraform-b")
        )


def test_outputs_are_there_after_an_apply_alone() -> None:
    with pytest.raises(Refused, match="no outputs yet"):
        estate().answer("terraform", told("staging", "output", "-raw", "helm_values"))


def test_what_stands_on_the_cluster_goes_before_it_and_the_load_balancer_before_its_controller(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.tfvars").write_text(GOOD, encoding="utf-8")
    both = estate("staging.tfstate", "staging-platform.tfstate")
    with pytest.raises(Refused, match="goes while there is one"):
        both.answer("terraform", told("staging/platform", "destroy", "-var", "state={}"))
    with pytest.raises(Refused, match="before what is installed on it"):
        both.answer("terraform", told("staging", "destroy", f"-var-file={tmp_path}/x.tfvars"))
    both.answer("kubectl", told("staging", "wait", "ingress", "--for=delete"))
    both.answer("terraform", told("staging/platform", "destroy", "-var", "state={}"))
    both.answer("terraform", told("staging", "destroy", f"-var-file={tmp_path}/x.tfvars"))
    assert both.states == {}


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("secretsmanager rotate-secret --secret x", "Unknown options: --secret"),
        ("secretsmanager rotate-secret", "Missing required parameter"),
        ("rds failover-global-cluster --global-cluster-identifier a b", "Unknown options: b"),
        ("sesv2 put-account-details --mail-type", "expected one argument"),
    ],
)
def test_the_command_line_of_aws_is_checked_where_the_emulator_is_not_asked(typed: str, wrong: str) -> None:
    with pytest.raises(AwsError, match=wrong):
        estate().answer("aws", Told(typed.split(), ROOT, {"AWS_REGION": "eu-central-1"}, bytes))


def test_nothing_is_asked_of_aws_without_a_region() -> None:
    with pytest.raises(AwsError, match="specify a region"):
        estate().answer("aws", Told(["sts", "get-caller-identity"], ROOT, {}, bytes))


class _Talkative(Aws):
    def run(self, *_: object) -> str:
        return "a line\n" * 30


def test_a_long_answer_on_a_screen_waits_in_a_pager_unless_there_is_none() -> None:
    talking = Estate(_Talkative("http://127.0.0.1:9"), ROOT, "")
    for environment, is_shown in (({"AWS_PAGER": ""}, True), ({}, False)):
        talking.answer("aws", Told(["s3", "ls"], ROOT, environment, bytes, is_shown=is_shown))
    for environment in ({}, {"AWS_PAGER": "less"}):
        with pytest.raises(Refused, match="press q"):
            talking.answer("aws", Told(["s3", "ls"], ROOT, environment, bytes, is_shown=True))


def test_an_apply_that_nobody_can_say_yes_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tfvars").write_text(GOOD, encoding="utf-8")
    nobody = told("staging", "destroy", f"-var-file={tmp_path}/x.tfvars")
    nobody.is_asked = False
    with pytest.raises(Refused, match="asks for a yes"):
        estate("staging.tfstate").answer("terraform", nobody)


def test_a_module_that_needs_packages_is_looked_for_where_they_are() -> None:
    words = ["-m", "infra.dashboards"]
    with pytest.raises(Refused, match="No module named"):
        estate().answer("python3", Told(words, ROOT, {"PATH": "/usr/bin"}, bytes))
    estate().answer("python3", Told(words, ROOT, {"PATH": f"{ROOT}/.venv/bin:/usr/bin"}, bytes))


def test_make_knows_the_targets_of_the_makefile_alone() -> None:
    estate().answer("make", Told(["setup"], ROOT, {}, bytes))
    with pytest.raises(Refused, match="No rule"):
        estate().answer("make", Told(["setups"], ROOT, {}, bytes))
