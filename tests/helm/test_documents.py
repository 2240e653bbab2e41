"""The commands that the documents give are ones that our helm knows."""

import re

import pytest

from tests.helm.charts import CHART, NAMESPACE, ROOT, run_helm, values_arguments

DOCUMENTS = ("docs/deploy.md", "helm/README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_use_flags_that_helm_knows_and_has_not_given_up(document: str) -> None:
    text = (ROOT / document).read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"^helm (upgrade|install|test|rollback)\b(.*)$", text, re.MULTILINE)
    assert commands
    for command, arguments in commands:
        # Deprecated ones are not in the help.
        known = set(re.findall(r"--[a-z-]+|-[a-z]\b", run_helm(command, "--help")))
        assert set(re.findall(r"(?<=\s)(?:--[a-z-]+|-[a-z]\b)", arguments)) <= known, arguments


def test_an_upgrade_that_fails_is_rolled_back() -> None:
    for document in DOCUMENTS:
        assert "--rollback-on-failure --wait" in (ROOT / document).read_text("utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), {"https://api.exchange.example", "python3 -m infra.ready exchange", "helm rollback exchange"}),
        (("--set", "rebuild.enabled=true"), {"REBUILT from archive", "out of the next one"}),
        (("--set", "global.faucet=true"), {"PLAY MONEY"}),
    ],
)
def test_what_helm_says_in_the_end_is_what_to_look_at_next(more: tuple[str, ...], said: set[str]) -> None:
    notes = run_helm(
        "install", "exchange", str(CHART), "--dry-run=client", "--namespace", NAMESPACE,
        *values_arguments("production"), *more,
    ).partition("NOTES:")[2]  # fmt: skip
    assert {each for each in said if each not in notes} == set()
    assert ("PLAY MONEY" in notes) is ("PLAY MONEY" in said)
    assert "NO NETWORK POLICIES" not in notes
