"""After each step of docs/deploy.md: what is missing is said in words, by commands that only read."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from infra.ready.__main__ import lacking, main
from infra.ready.looks import STEPS
from tests.infra.commands import commands, problems

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
NAMES = {
    "STATE": "a-state", "ARTEFACTS": "artefacts", "ZONE": "example.com", "NAME": "exchange-production",
    "HOST": "api.example.com", "DIGEST": "sha256:" + "0f" * 32, "ACCOUNT": "111122223333",
    "AWS_REGION": "eu-central-1",
}  # fmt: skip
READS = ("describe-", "get-", "list-", "head-")
# Asked for its version alone.
TOOLS = {"terraform", "helm", "docker", "git", "jq", "zip", "openssl", "sed"}


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("step", STEPS)
def test_each_look_only_reads_and_asks_what_there_is_to_ask(step: str) -> None:
    for look in STEPS[step]:
        words = shlex.split(look.command)
        match words[0]:
            case "kubectl":
                assert words[1] == "get" or words[1:] == ["version", "--client"]
            case "aws":
                assert words[1:] == ["--version"] or words[2].startswith(READS)
            case "curl":
                assert not {"-X", "-d", "--data", "-T"} & set(words)
            case tool:
                assert tool in TOOLS
                assert {"version", "--version", "-v"} & set(words)
        found = list(commands(f"```bash\n{look.command}\n```\n"))
        assert len(found) == 1
        assert list(problems(found[0])) == []


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
    for name in ("aws", "kubectl", "curl", *TOOLS):
        program(tmp_path, name, "echo AccessDenied >&2; exit 254")
    told = list(lacking(STEPS[step], NAMES))
    assert len(told) == len(STEPS[step])
    for line in told:
        assert "AccessDenied" in line
        assert "$" not in line


@pytest.mark.parametrize(
    ("quota", "enough"), [("10.0", False), ("99.0", False), ("100.0", True), ("1000.0", True)]
)
def test_a_quota_of_a_fresh_account_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, enough: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "aws", f"echo {quota}")
    functions = tuple(look for look in STEPS["bootstrap"] if "L-B99A9384" in look.command)
    assert (list(lacking(functions, NAMES)) == []) is enough


@pytest.mark.parametrize(
    ("certificates", "enough"),
    [
        ("trade.example.com\tapi.example.com", True),
        ("api.staging.example.com", False),
        ("apixexample.com", False),
    ],
)
def test_the_certificate_is_the_load_balancer_s_own_and_of_its_kind_of_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: str, enough: bool
) -> None:
    """AWS lists RSA alone where no kind is asked for (ListCertificates, Includes)."""
    edge = DEPLOY.parents[1] / "infra" / "terraform" / "modules" / "edge" / "main.tf"
    (kind,) = re.findall(r'key_algorithm\s*=\s*"(\w+)"', edge.read_text(encoding="utf-8"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    script = f'case "$*" in *keyTypes={kind}*) echo "{certificates}";; esac'
    program(tmp_path, "aws", script)
    looks = tuple(look for look in STEPS["region"] if "list-certificates" in look.command)
    assert (list(lacking(looks, NAMES)) == []) is enough


@pytest.mark.parametrize(
    ("zone", "enough"), [("example.com.", True), ("example.org.", False), ("None", False)]
)
def test_a_zone_that_comes_after_ours_in_the_alphabet_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, enough: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "aws", f"echo {zone}")
    looks = tuple(look for look in STEPS["global"] if "list-hosted-zones" in look.command)
    assert (list(lacking(looks, NAMES)) == []) is enough


@pytest.mark.parametrize(("version", "enough"), [("1.10.5", False), ("1.11.4", True), ("2.0.0", False)])
def test_a_program_that_is_too_old_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, enough: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program(tmp_path, "terraform", f"echo Terraform v{version}")
    looks = tuple(look for look in STEPS["machine"] if look.command.startswith("terraform"))
    assert (list(lacking(looks, NAMES)) == []) is enough


def test_the_looks_need_python_alone() -> None:
    """docs/deploy.md calls them by `python3` before anything was installed."""
    command = [sys.executable, "-E", "-S", "-m", "infra.ready", "nothing"]
    done = subprocess.run(command, cwd=DEPLOY.parents[1], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("usage: "), done.stderr


def test_an_unknown_step_and_a_variable_that_is_not_set_are_no_yes() -> None:
    assert main(["nothing"], NAMES) == 2
    assert main(["bootstrap"], {}) == 2


def test_every_step_is_in_the_document() -> None:
    named = re.findall(r"python3? -m infra\.ready (\w+)", DEPLOY.read_text(encoding="utf-8"))
    assert list(dict.fromkeys(named)) == list(STEPS)
