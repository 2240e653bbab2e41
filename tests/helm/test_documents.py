"""The commands that the documents give are ones that our helm knows."""

import re

import pytest

from tests.helm.charts import ROOT, run_helm

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
