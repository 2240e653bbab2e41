"""What CodeBuild is told: commands that programs take, variables that Terraform sets; scans are judged."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.checks.terraform import Outcome
from infra.delivery.__main__ import main
from tests.infra.commands import commands, problems

ROOT = Path(__file__).parents[2]
BUILDSPECS = sorted((ROOT / "infra" / "delivery").glob("*.yml"))
# What CodeBuild sets, or a script sets for itself.
_GIVEN = re.compile(r"AWS_|CODEBUILD_|HOME$")


def spoken(buildspec: dict[str, Any]) -> list[str]:
    """All commands, in their order."""
    return [command for phase in buildspec["phases"].values() for command in phase["commands"]]


@pytest.mark.parametrize("path", BUILDSPECS, ids=lambda path: path.stem)
def test_a_buildspec_is_one_and_its_commands_are_taken(path: Path) -> None:
    buildspec = yaml.safe_load(path.read_text("utf-8"))
    assert buildspec["version"] == 0.2
    # https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    assert set(buildspec) <= {
        "version",
        "run-as",
        "env",
        "proxy",
        "batch",
        "phases",
        "reports",
        "artifacts",
        "cache",
    }
    assert set(buildspec["phases"]) <= {"install", "pre_build", "build", "post_build"}
    # The repository's root, and one of what the loop goes through.
    text = (
        "\n".join(spoken(buildspec)).replace("$CODEBUILD_SRC_DIR/", "").replace("$environment", "production")
    )
    found = list(commands(f"```bash\n{text}\n```\n"))
    assert len(found) >= 3
    assert [problem for command in found for problem in problems(command)] == []


@pytest.mark.timeout(900)
def test_what_a_buildspec_reads_terraform_sets(outcome_of: Callable[[str], Outcome]) -> None:
    projects = {
        values["source"][0]["buildspec"]: {
            each["name"] for each in values["environment"][0]["environment_variable"]
        }
        for resource in outcome_of("modules/delivery").resources
        for values in [resource["values"]]
        if resource["type"] == "aws_codebuild_project"
    }
    assert set(projects) == {path.relative_to(ROOT).as_posix() for path in BUILDSPECS}
    for path in BUILDSPECS:
        text = "\n".join(spoken(yaml.safe_load(path.read_text("utf-8"))))
        read = set(re.findall(r"\$\{?([A-Za-z_]\w*)", text))
        own = set(re.findall(r"(?:^|[\s;{])(?:export )?([A-Za-z_]\w*)=", text)) | set(
            re.findall(r"for (\w+) in", text)
        )
        asked = {name for name in read - own if not _GIVEN.match(name)}
        assert asked == projects[path.relative_to(ROOT).as_posix()], path


def scanned(status: str, description: str = "", **counts: int) -> dict[str, Any]:
    return {
        "imageScanStatus": {"status": status, "description": description},
        "imageScanFindings": {"findingSeverityCounts": counts},
    }


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([scanned("COMPLETE")], 0, "found nothing"),
        ([{}, scanned("PENDING"), scanned("ACTIVE")], 0, "found nothing"),
        ([scanned("ACTIVE", HIGH=3)], 0, "found 3 HIGH"),
        ([scanned("ACTIVE", HIGH=3, CRITICAL=1)], 1, "found 1 CRITICAL, 3 HIGH"),
        ([scanned("FAILED", "no space")], 1, "no space"),
        ([scanned("PENDING")], 1, "no scan within 15 minutes"),
    ],
)
def test_a_scan_is_waited_for_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    answers: list[dict[str, Any]], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = tmp_path / "aws"
    waited: list[float] = []

    def answer(_: float = 0) -> None:
        """What the registry says from now on; an empty answer is an error of its own."""
        found = answers[min(len(waited), len(answers) - 1)]
        text = f"echo '{json.dumps(found)}'" if found else "echo ScanNotFoundException >&2; exit 254"
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        answer()

    answer()
    assert main(["exchange", "sha256:0f"], sleep) == code
    assert said in capsys.readouterr().out
