"""After each step of docs/deploy.md: what is missing is said in words, by commands that only read."""

import re
import shlex
from pathlib import Path

import botocore.session
import pytest

from infra.ready.__main__ import lacking, main
from infra.ready.looks import STEPS

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
NAMES = {"STATE": "a-state", "ARTEFACTS": "artefacts", "ZONE": "example.com", "NAME": "exchange-production"}
READS = ("describe-", "get-", "list-", "head-")


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("step", STEPS)
def test_each_look_only_reads_and_asks_what_there_is_to_ask(step: str) -> None:
    session = botocore.session.get_session()
    for look in STEPS[step]:
        words = shlex.split(look.command)
        assert words[0] in ("aws", "kubectl", "curl")
        if words[0] == "kubectl":
            assert words[1] == "get"
        if words[0] == "aws":
            assert words[2].startswith(READS)
            model = session.get_service_model(words[1])
            operations = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", each).lower(): each for each in model.operation_names}
            shape = model.operation_model(operations[words[2].replace("-v2", "-v2")]).input_shape
            known = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", each).lower() for each in shape.members} if shape else set()
            asked = {word[2:] for word in words if word.startswith("--")} - {"query", "output"}
            assert asked <= known | {each.replace("d-b-", "db-") for each in known}, words


def test_nothing_is_missing_when_every_answer_is_as_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "aws", 'case "$*" in *get-bucket-versioning*) echo Enabled;; *) echo 1000.0;; esac')
    assert main(["bootstrap"], NAMES) == 0
    assert "nothing is missing" in capsys.readouterr().out


@pytest.mark.parametrize("step", STEPS)
def test_what_is_missing_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("aws", "kubectl", "curl"):
        program(tmp_path, name, "echo AccessDenied >&2; exit 254")
    told = list(lacking(STEPS[step], NAMES))
    assert len(told) == len(STEPS[step])
    for line in told:
        assert "AccessDenied" in line
        assert "$" not in line


@pytest.mark.parametrize(("quota", "enough"), [("10.0", False), ("99.0", False), ("100.0", True), ("1000.0", True)])
def test_a_quota_of_a_fresh_account_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, enough: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "aws", f"echo {quota}")
    functions = tuple(look for look in STEPS["bootstrap"] if "L-B99A9384" in look.command)
    assert (list(lacking(functions, NAMES)) == []) is enough


def test_an_unknown_step_and_a_variable_that_is_not_set_are_no_yes() -> None:
    assert main(["nothing"], NAMES) == 2
    assert main(["bootstrap"], {}) == 2


def test_every_step_is_in_the_document() -> None:
    named = re.findall(r"python3? -m infra\.ready (\w+)", DEPLOY.read_text(encoding="utf-8"))
    assert named == list(STEPS)
