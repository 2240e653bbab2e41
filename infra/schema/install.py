"""Put schema-only providers where Terraform looks for providers: a mirror folder in the user's cache.

`terraform init` then installs them like the real ones, and version constraints count. Built once for each
version of the sources beside this file (about 20 s and a download of 75 MB), then found in milliseconds.
Beside them lies what IAM knows of each action (`iam.json`), out of the package of cfn-lint.
"""

import fcntl
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.schema.extract import extract

__all__ = ["Installation", "cache_folder", "install"]

HERE: Final = Path(__file__).parent
_SOURCES: Final = ("extract.py", "plugin.py", "install.py", "requirements.lock", "provider.lock")
# Terraform's and OpenTofu's own names of the registry that `hashicorp/aws` belongs to.
_REGISTRIES: Final = ("registry.terraform.io", "registry.opentofu.org")
# The providers of hashicorp/ that this repository uses; a type's name begins with its provider's.
_PROVIDERS: Final = ("aws", "helm")
# Where cfn-lint keeps what AWS publishes about actions, resources and conditions.
_IAM: Final = "cfnlint/data/AdditionalSpecs/Policies.json"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DEADLINE_S: Final = 600


@dataclass(frozen=True)
class Installation:
    """What `install` made: the CLI configuration for Terraform, and the environment's programs."""

    folder: Path
    version: str

    @property
    def cli_config(self) -> Path:
        """For TF_CLI_CONFIG_FILE."""
        return self.folder / "terraform.rc"

    @property
    def iam(self) -> Path:
        """JSON: service -> "Actions" -> name -> "Resources", and "Resources" -> name -> "ARNFormats"."""
        return self.folder / "iam.json"

    @contextmanager
    def provider(self, types: Iterable[str]) -> Iterator[dict[str, str]]:
        """The providers of these types for many runs of Terraform: the variable that sends it there."""
        wanted = sorted(types)
        with ExitStack() as running:
            place = running.enter_context(tempfile.TemporaryDirectory(prefix="aws-schema-"))
            named: dict[str, dict[str, object]] = {}
            for name in _PROVIDERS:
                own = [kind for kind in wanted if kind.startswith(f"{name}_")]
                if own:
                    found = running.enter_context(self._attached(name, own, f"{place}/{name}.sock"))
                    named |= {f"{registry}/hashicorp/{name}": found for registry in _REGISTRIES}
            yield {"TF_REATTACH_PROVIDERS": json.dumps(named)} if named else {}

    @contextmanager
    def _attached(self, name: str, types: Iterable[str], socket: str) -> Iterator[dict[str, object]]:
        command = [str(self.programs / "python"), "-I", str(self.folder / "plugin.py"), "attach"]
        provider = subprocess.Popen(
            [*command, str(self.folder / f"{name}.zip"), socket],
            env={**os.environ, "AWS_SCHEMA_TYPES": ",".join(types)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert provider.stdout is not None
            if provider.stdout.readline() != b"ready\n":
                raise subprocess.CalledProcessError(provider.wait(_DEADLINE_S), command)
            address = {"Network": "unix", "String": socket}
            yield {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": provider.pid,
                "Test": True,
                "Addr": address,
            }
        finally:
            # The end of its standard input is the end of it.
            provider.communicate(timeout=_DEADLINE_S)

    @property
    def programs(self) -> Path:
        """Where pip put the programs of requirements.lock, trivy among them."""
        return self.folder / "env" / "bin"


def cache_folder() -> Path:
    """The exchange's part of the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "exchange"


def install() -> Installation:
    """Build what is missing. Raises CalledProcessError if a package cannot be had."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((HERE / name).read_bytes())
    folder = cache_folder() / f"aws-schema-{digest.hexdigest()[:12]}"
    with _locked(folder.with_suffix(".lock")):
        version = folder / "version"
        if not version.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _build(folder)
        return Installation(folder, version.read_text(encoding="utf-8"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    folder.mkdir(parents=True)
    environment = folder / "env"
    # A copy: what lies in the cache must outlive the checkout that put it there.
    plugin = Path(shutil.copy(HERE / "plugin.py", folder))
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "venv", str(environment))
    _pip(python, "install", "-r", str(HERE / "requirements.lock"))
    versions = {}
    with tempfile.TemporaryDirectory() as temporary:
        wheels = _download(python, Path(temporary))
        for name in _PROVIDERS:
            schema = folder / f"{name}.zip"
            extracted = extract(_sources(wheels[f"cdktn_provider_{name}"]))
            json_file = Path(temporary) / "schema.json"
            json_file.write_text(json.dumps(extracted), encoding="utf-8")
            _run(str(python), str(plugin), "compile", str(json_file), str(schema))
            serve = [str(python), "-I", str(plugin), "serve", str(schema)]
            _lay_mirror(folder, name, extracted["version"], serve)
            versions[name] = extracted["version"]
        with zipfile.ZipFile(wheels["cfn_lint"]) as archive:
            (folder / "iam.json").write_bytes(archive.read(_IAM))
    _write_configuration(folder)
    # Last, because its presence says that all else is there.
    (folder / "version").write_text(versions["aws"], encoding="utf-8")


def _pip(python: Path, *arguments: str) -> None:
    _run(str(python), "-m", "pip", *arguments, "--quiet", "--require-hashes", "--disable-pip-version-check")


def _download(python: Path, folder: Path) -> dict[str, Path]:
    """The wheels of provider.lock, by the name of their package."""
    lock = str(HERE / "provider.lock")
    _pip(python, "download", "--no-deps", "--only-binary=:all:", "-r", lock, "-d", str(folder))
    return {wheel.name.split("-")[0]: wheel for wheel in folder.glob("*.whl")}


def _sources(wheel: Path) -> Iterator[str]:
    """The text of each module: its index.js and, for large ones, the files of its structs."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r|gz") as package:
            texts: dict[str, list[str]] = {}
            for member in package:
                parts = member.name.split("/")
                if member.name.endswith(".js") and len(parts) > 3 and parts[1] == "lib":
                    content = package.extractfile(member)
                    assert content is not None, member.name
                    texts.setdefault(parts[2], []).append(content.read().decode())
    for name in sorted(texts):
        yield "\n".join(texts[name])


def _lay_mirror(folder: Path, name: str, version: str, command: list[str]) -> None:
    target = f"{platform.system().lower()}_{_ARCHITECTURES[platform.machine()]}"
    for registry in _REGISTRIES:
        place = folder / "mirror" / registry / "hashicorp" / name / version / target
        place.mkdir(parents=True)
        program = place / f"terraform-provider-{name}_v{version}"
        program.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n", encoding="utf-8")
        program.chmod(0o755)


def _write_configuration(folder: Path) -> None:
    (folder / "terraform.rc").write_text(
        "disable_checkpoint = true\n"
        f'provider_installation {{\n  filesystem_mirror {{ path = "{folder / "mirror"}" }}\n}}\n',
        encoding="utf-8",
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_DEADLINE_S)
