"""tflint with the rules for AWS, and trivy's look for known mistakes; what cannot run is said."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.checks.terraform import ROOT
from infra.schema.install import cache_folder, install

__all__ = ["LINTERS", "TRIVY_EXCEPTIONS", "Finding", "tflint", "tflint_is_built", "trivy"]

_TFLINT: Final = "github.com/terraform-linters/tflint"
_TFLINT_VERSION: Final = "v0.64.0"
_RULESET: Final = "github.com/terraform-linters/tflint-ruleset-aws"
_RULESET_VERSION: Final = "v0.48.0"
_BUILD_DEADLINE_S: Final = 1_800
_RUN_DEADLINE_S: Final = 600

# What trivy complains about and we mean: id -> reason. An id that no longer occurs is an error.
TRIVY_EXCEPTIONS: Final = {
    "AWS-0343": "deletion protection is a variable: on in production, off in staging, which is torn down",
}


@dataclass(frozen=True)
class Finding:
    """What one linter came to: problems, or the reason why it did not run."""

    name: str
    problems: list[str]
    skipped: str = ""


def _run(command: list[str], place: Path, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_RUN_DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _go_tools() -> Path:
    return cache_folder() / "go-tools" / "bin"


def _tflint_programs() -> tuple[Path, Path]:
    return _go_tools() / "tflint", _go_tools() / "tflint-ruleset-aws"


def tflint_is_built() -> bool:
    """Whether both are in the cache."""
    return all(path.exists() for path in _tflint_programs())


def build_tflint() -> str:
    """Build tflint and its rules for AWS once; "" or why that did not work."""
    if tflint_is_built():
        return ""
    program, rules = _tflint_programs()
    go = shutil.which("go")
    if go is None:
        return "there is no go to build it with"
    _go_tools().mkdir(parents=True, exist_ok=True)
    for target, package, version in (
        (program, _TFLINT, _TFLINT_VERSION),
        (rules, _RULESET, _RULESET_VERSION),
    ):
        reason = "" if target.exists() else _build(go, target, package, version)
        if reason:
            return reason
    return ""


def _build(go: str, target: Path, package: str, version: str) -> str:
    """Build one program from a module that only names it: that asks the proxy for this version alone."""
    with tempfile.TemporaryDirectory() as folder:
        module = f"module lint\n\ngo 1.25\n\nrequire {package} {version}\n"
        (Path(folder) / "go.mod").write_text(module, encoding="utf-8")
        # Minutes of work, once: nobody's test should suffer from it.
        command = ["nice", "-n", "19", go, "build", "-mod=mod", "-p=1", "-o", str(target), package]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_DEADLINE_S, check=False
            )
        except subprocess.TimeoutExpired:
            # What is compiled is kept by Go: the next try goes on from there.
            return f"{package} {version} is not built after {_BUILD_DEADLINE_S} s; the next run goes on"
    return f"{package} {version} could not be built: {done.stderr.strip()[-500:]}" if done.returncode else ""


def tflint() -> Finding:
    """Naming, unused declarations, and values that AWS would refuse (instance classes, engines, …)."""
    name = f"tflint {_TFLINT_VERSION} with the AWS rules {_RULESET_VERSION}"
    reason = build_tflint()
    if reason:
        return Finding(name, [], reason)
    plugins = cache_folder() / "tflint-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    linked = plugins / "tflint-ruleset-aws"
    if not linked.exists():
        linked.symlink_to(_go_tools() / "tflint-ruleset-aws")
    environment = {**os.environ, "TFLINT_PLUGIN_DIR": str(plugins)}
    command = [
        str(_go_tools() / "tflint"),
        "--recursive",
        "--format=json",
        f"--config={ROOT / '.tflint.hcl'}",
    ]
    _, output, errors = _run(command, ROOT, environment)
    try:
        report = json.loads(output)
    except ValueError:
        return Finding(name, [f"no report: {errors.strip()}"])
    problems = [
        f"{issue['range']['filename']}:{issue['range']['start']['line']}: {issue['message']}"
        f" [{issue['rule']['name']}]"
        for issue in report["issues"]
    ]
    problems += [f"tflint: {error['message']}" for error in report["errors"]]
    return Finding(name, problems)


def trivy() -> Finding:
    """Known mistakes in every environment, as trivy's own rules see them."""
    name = "trivy"
    program = shutil.which("trivy") or str(install().programs / "trivy")
    if not Path(program).exists():
        return Finding(name, [], "there is no trivy for this machine")
    command = [
        program,
        "config",
        "--skip-check-update",
        "--quiet",
        "--format=json",
        "--skip-dirs=**/tests",
        ".",
    ]
    # It lives for half a minute: collecting its garbage took a quarter of its time.
    code, output, errors = _run(command, ROOT, {"GOGC": "1000", **os.environ})
    if code:
        return Finding(name, [f"exit {code}: {errors.strip()}"])
    failures = {
        (issue["ID"], result["Target"], issue.get("CauseMetadata", {}).get("StartLine", 0), issue["Title"])
        for result in json.loads(output).get("Results", [])
        for issue in result.get("Misconfigurations", [])
        if issue["Status"] == "FAIL"
    }
    problems = [
        f"{target}:{line}: {title} [{identifier}]"
        for identifier, target, line, title in sorted(failures)
        if identifier not in TRIVY_EXCEPTIONS
    ]
    seen = {identifier for identifier, *_ in failures}
    problems += [
        f"the exception {name} is not needed any more" for name in sorted(set(TRIVY_EXCEPTIONS) - seen)
    ]
    return Finding(name, problems)


LINTERS: Final[tuple[Callable[[], Finding], ...]] = (tflint, trivy)
