"""Run Terraform (or OpenTofu) over a copy of infra/terraform, with the real provider or its schema alone."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.schema.install import Installation, cache_folder, install

__all__ = ["ROOT", "Missing", "Outcome", "Terraform", "folders"]

ROOT: Final = Path(__file__).resolve().parents[1] / "terraform"
_INIT_DEADLINE_S: Final = 300
_RUN_DEADLINE_S: Final = 900
_PROBE: Final = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'


class Missing(Exception):
    """There is no terraform and no tofu on this machine."""


@dataclass
class Outcome:
    """What became of one folder: the errors of each step, and every state that its tests came to."""

    folder: str
    errors: list[str] = field(default_factory=list)
    passed: int = 0
    failed: int = 0
    # The resources of each run: [{"run", "address", "type", "values"}, …].
    resources: list[dict[str, Any]] = field(default_factory=list)
    # The values of the outputs after each run.
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.errors and not self.failed and self.passed > 0

    def runs(self) -> list[list[dict[str, Any]]]:
        """The resources of each run by itself."""
        found: dict[str, list[dict[str, Any]]] = {}
        for resource in self.resources:
            found.setdefault(resource["run"], []).append(resource)
        return list(found.values())


def folders() -> list[str]:
    """Every folder with a configuration of its own, small ones first."""
    found = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/**/versions.tf")}
    return sorted(found, key=lambda name: (name.startswith("environments"), name))


@dataclass(frozen=True)
class Terraform:
    """The program, and the environment in which it finds its provider."""

    program: str
    schema: str
    environment: dict[str, str]
    # What stands in for the real provider, if anything does.
    published: Installation | None = None

    @classmethod
    def find(cls, schema: str = "auto") -> "Terraform":
        """Choose program and provider. Raises Missing; `schema` is auto, real or published."""
        wanted = os.environ.get("TERRAFORM")
        program = shutil.which(wanted) if wanted else shutil.which("terraform") or shutil.which("tofu")
        if program is None:
            raise Missing(
                "neither terraform nor tofu is on PATH: install Terraform >= 1.11 or OpenTofu >= 1.9"
            )
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        environment.update(TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1", NO_COLOR="1")
        # A test lives for seconds: collecting its garbage took a third of Terraform's time.
        environment.setdefault("GOGC", "1000")
        if "TF_PLUGIN_CACHE_DIR" in os.environ:
            environment["TF_PLUGIN_CACHE_DIR"] = os.environ["TF_PLUGIN_CACHE_DIR"]
        if schema in ("auto", "real"):
            plugins = cache_folder() / "terraform-plugins"
            plugins.mkdir(parents=True, exist_ok=True)
            real = {"TF_PLUGIN_CACHE_DIR": str(plugins), **environment}
            version = _provider_version(program, real)
            if version is not None:
                return cls(program, f"the real provider hashicorp/aws {version}", real)
            if schema == "real":
                raise Missing("the registry of providers cannot be reached from here")
        try:
            published = install()
        except subprocess.CalledProcessError as error:
            raise Missing(f"neither a registry of providers nor the published schema: {error}") from error
        environment["TF_CLI_CONFIG_FILE"] = str(published.cli_config)
        return cls(
            program,
            f"the published schema of hashicorp/aws {published.version} (names, types, nesting; not the "
            "provider's own checks of values: no registry of providers can be reached from here)",
            environment,
            published,
        )

    def version(self) -> str:
        """E.g. "Terraform v1.11.4"."""
        return self._run(["version"], ROOT, _INIT_DEADLINE_S).stdout.splitlines()[0]

    def unformatted(self) -> list[str]:
        """Files that `fmt` would change."""
        done = self._run(["fmt", "-check", "-recursive", "-list=true"], ROOT, _INIT_DEADLINE_S)
        return [*done.stdout.split(), *done.stderr.splitlines()]

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """A copy to work in: `init` leaves files behind, and they are none of the repository's business."""
        with tempfile.TemporaryDirectory(prefix="infra-test-") as folder:
            tree = Path(folder) / "infra" / "terraform"
            shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
            # Rules of alarms and of scaling have one file for the charts and for AWS.
            shutil.copytree(ROOT.parents[1] / "helm", Path(folder) / "helm")
            yield tree

    def check(self, tree: Path, folder: str) -> Outcome:
        """`init`, `validate` and `test` of one folder of the copy."""
        outcome, place = Outcome(folder), tree / folder
        done = self._run(["init", "-backend=false", "-input=false"], place, _INIT_DEADLINE_S)
        if done.returncode:
            outcome.errors.append(f"init: {done.stdout}{done.stderr}")
            return outcome
        with self._one_provider(place) as attached:
            done = self._run(["validate"], place, _INIT_DEADLINE_S, attached)
            if done.returncode:
                outcome.errors.append(f"validate: {done.stdout}{done.stderr}")
                return outcome
            for arguments in _test_runs(place):
                done = self._run(["test", "-json", "-verbose", *arguments], place, _RUN_DEADLINE_S, attached)
                _read_events(done.stdout, outcome)
                if done.returncode and not outcome.errors:
                    outcome.errors.append(f"test: exit {done.returncode}: {done.stderr}")
        return outcome

    def graph(self, tree: Path, folder: str) -> str:
        """Who depends on whom in a folder of the copy, as DOT. Raises Missing when Terraform says no."""
        place = tree / folder
        done = self._run(["init", "-backend=false", "-input=false"], place, _INIT_DEADLINE_S)
        if not done.returncode:
            with self._one_provider(place) as attached:
                done = self._run(["graph"], place, _INIT_DEADLINE_S, attached)
        if done.returncode:
            raise Missing(f"no graph of {folder}: {done.stdout}{done.stderr}")
        return done.stdout

    def _one_provider(self, place: Path) -> AbstractContextManager[dict[str, str]]:
        """The published schema is started once for a folder; the real provider is Terraform's to start."""
        if self.published is None:
            return nullcontext({})
        return self.published.provider(_mentioned_types(place))

    def _run(
        self, arguments: list[str], place: Path, deadline_s: int, attached: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            cwd=place,
            env={**self.environment, **(attached or {})},
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )


def _test_runs(place: Path) -> Iterator[list[str]]:
    """Tests named like a file of variables run with that file, each by itself; all others together."""
    plain: list[str] = []
    for path in sorted(place.glob("tests/*.tftest.hcl")):
        variables = path.name.removesuffix(".tftest.hcl") + ".tfvars"
        chosen = f"-filter={path.relative_to(place)}"
        if (place / variables).exists():
            yield [chosen, f"-var-file={variables}"]
        else:
            plain.append(chosen)
    yield plain


def _provider_version(program: str, environment: dict[str, str]) -> str | None:
    """The version of the real provider that `init` finds, if it finds one."""
    with tempfile.TemporaryDirectory(prefix="infra-probe-") as folder:
        (Path(folder) / "main.tf").write_text(_PROBE, encoding="utf-8")
        try:
            done = subprocess.run(
                [program, "init", "-input=false"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_INIT_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        found = re.search(r"hashicorp/aws v([\d.]+)", done.stdout)
        return found[1] if done.returncode == 0 and found else None


def _mentioned_types(place: Path) -> set[str]:
    """Every word that looks like a type of the provider, in a folder, its tests, and the modules it calls."""
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [place.resolve()]
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for path in (*folder.glob("*.tf"), *folder.glob("*.hcl"), *folder.glob("tests/*.hcl")):
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r"\b(?:aws|helm)_\w+", text))
            called = re.findall(r'source\s*=\s*"(\.[^"]*)"', text)
            waiting += [(folder / name).resolve() for name in called]
    return found


def _read_events(output: str, outcome: Outcome) -> None:
    """Read what `test -json -verbose` prints: one object a line."""
    for line in output.splitlines():
        event = json.loads(line)
        kind = event["type"]
        if kind == "diagnostic" and event["diagnostic"]["severity"] == "error":
            where = f"{event.get('@testfile', '')} {event.get('@testrun', '')}"
            detail = event["diagnostic"]
            outcome.errors.append(f"{where}: {detail['summary']}: {detail.get('detail', '')}")
        elif kind == "test_summary":
            summary = event["test_summary"]
            outcome.passed += summary.get("passed", 0)
            outcome.failed += summary.get("failed", 0) + summary.get("errored", 0)
        elif kind in ("test_state", "test_plan"):
            values = (
                event["test_state"] if kind == "test_state" else event["test_plan"].get("planned_values", {})
            )
            outputs = values.get("outputs", values.get("values", {}).get("outputs", {}))
            outcome.outputs.append({name: output.get("value") for name, output in outputs.items()})
            for resource in _resources(
                values.get("root_module", values.get("values", {}).get("root_module", {}))
            ):
                outcome.resources.append({"run": event.get("@testrun", ""), **resource})


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield {key: resource[key] for key in ("address", "type", "values")}
    for child in module.get("child_modules", []):
        yield from _resources(child)
