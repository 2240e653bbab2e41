"""HashiCorp's own provider for AWS, where no registry of it can be reached: built once, from its module.

Whole it is 250 services and hours of compiling. It is cut to those that the rehearsal applies: the lists that
name every service are shortened, and nothing else is touched. Where `terraform init` finds the published
provider, that one is used.
"""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.checks.terraform import Missing, Terraform
from infra.schema.install import cache_folder
from tests.cluster.build import BuildError, run_go

__all__ = ["Provider", "build", "found"]

_MODULE: Final = "github.com/hashicorp/terraform-provider-aws"
# Of June 2026, the newest that the module proxy has; its own name for itself is in version/VERSION.
_VERSION: Final = "v1.60.1-0.20260602190131-5f2286d6d836"
# Of cloudwatch nothing is applied: its folder has the file that the provider embeds a pattern of.
SERVICES: Final = (
    "account", "appautoscaling", "cloudwatch", "cognitoidp", "dynamodb", "ec2", "ecr", "iam", "kms", "lambda",
    "logs", "meta", "organizations", "route53", "s3", "s3control", "sts",
)  # fmt: skip
# What is not needed to compile it.
_LEFT_OUT: Final = frozenset(
    {"acctest", "docs", "examples", "generate", "infrastructure", "testdata", "website"}
)
_PACKAGES: Final = 2_000
_IMPORT: Final = re.compile(rf'\t(?:(\w+) )?"{re.escape(_MODULE)}/internal/service/(\w+)"\n')
_SDK_IMPORT: Final = re.compile(r'\t(?:(\w+) )?"github\.com/aws/aws-sdk-go-v2/service/(\w+)"\n')
_REGISTRATION: Final = re.compile(r"\t\t(\w+)\.ServicePackage\(ctx\),\n")
_CLIENT: Final = re.compile(
    r"func \(c \*AWSClient\) (\w+)\(ctx context\.Context(?:, [^)]*)?\) [^{]*\{\n(?:.*\n)*?\}\n"
)


@dataclass(frozen=True)
class Provider:
    """A provider of which `terraform init` knows by `environment`."""

    version: str
    environment: dict[str, str]


def found() -> Provider | None:
    """The published provider, or the one that was built; None without either. Raises Missing."""
    try:
        terraform = Terraform.find("real")
        return Provider(terraform.schema, terraform.environment)
    except Missing:
        if shutil.which("terraform") is None and shutil.which("tofu") is None:
            raise
    home = _home()
    if not (home / "version").exists():
        return None
    return Provider((home / "version").read_text("utf-8"), {"TF_CLI_CONFIG_FILE": str(home / "terraform.rc")})


def build() -> None:
    """Download, cut and compile: half an hour of one core. Raises BuildError."""
    if shutil.which("go") is None:
        raise BuildError("the rehearsal needs Go 1.26 or newer to build Terraform's provider, once")
    home = _home()
    home.mkdir(parents=True, exist_ok=True)
    module = _downloaded()
    version = (module / "version" / "VERSION").read_text("utf-8").strip()
    # The same folder each time: what was compiled before is found again.
    source = home / "source"
    shutil.rmtree(source, ignore_errors=True)
    _cut(module, source, frozenset(SERVICES))
    place = home / "mirror" / "registry.terraform.io" / "hashicorp" / "aws" / version / "linux_amd64"
    place.mkdir(parents=True, exist_ok=True)
    program = place / f"terraform-provider-aws_v{version}"
    run_go(["build", "-ldflags", "-s -w", "-o", str(program), "."], home, source, _PACKAGES)
    mirror = f'provider_installation {{\n  filesystem_mirror {{ path = "{home / "mirror"}" }}\n}}\n'
    (home / "terraform.rc").write_text(f"disable_checkpoint = true\n{mirror}", encoding="utf-8")
    shutil.rmtree(source, ignore_errors=True)
    # Last, because its presence says that all else is there.
    (home / "version").write_text(version, encoding="utf-8")


def _home() -> Path:
    digest = hashlib.sha256(" ".join((_VERSION, *SERVICES)).encode()).hexdigest()[:12]
    return cache_folder() / f"terraform-provider-aws-{digest}"


def _downloaded() -> Path:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text("module rehearsal\n", encoding="utf-8")
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{_MODULE}@{_VERSION}"],
            cwd=folder, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise BuildError(f"{_MODULE} cannot be had: {answer.get('Error', done.stderr)}")
    return Path(answer["Dir"])


def _cut(module: Path, target: Path, services: frozenset[str]) -> None:
    """A copy with these services, and those that they use."""
    root = module / "internal" / "service"
    kept = _closure(root, services)

    def left_out(folder: str, names: list[str]) -> Iterable[str]:
        gone = {name for name in names if name in _LEFT_OUT or name.endswith("_test.go")}
        return gone | ({name for name in names if "." not in name} - kept if Path(folder) == root else set())

    shutil.copytree(module, target, ignore=left_out)
    # Modules are kept read-only.
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    _rewrite(target / "internal" / "provider" / "sdkv2" / "service_packages_gen.go", _only_packages, kept)
    clients = {name for folder in _sources(target, kept) for name in _clients_of(folder)}
    _rewrite(target / "internal" / "conns" / "awsclient_gen.go", _only_clients, clients)


def _closure(root: Path, services: frozenset[str]) -> frozenset[str]:
    waiting, seen = set(services), set[str]()
    while waiting:
        service = waiting.pop()
        seen.add(service)
        for path in _go_files(root / service):
            named = re.findall(rf'"{re.escape(_MODULE)}/internal/service/(\w+)[/"]', path.read_text("utf-8"))
            waiting |= set(named) - seen
    return frozenset(seen)


def _sources(target: Path, kept: Iterable[str]) -> Iterator[Path]:
    internal = target / "internal"
    yield from (internal / "service" / service for service in sorted(kept))
    yield from (internal / room for room in ("provider", "tags"))
    yield internal / "conns" / "awsclient.go"


def _go_files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    yield from (path for path in sorted(place.rglob("*.go")) if not path.name.endswith("_test.go"))


def _clients_of(place: Path) -> Iterator[str]:
    for path in _go_files(place):
        yield from re.findall(r"\.(\w+Client)\(ctx\b", path.read_text("utf-8"))


def _rewrite(path: Path, how: Any, kept: Iterable[str]) -> None:
    path.write_text(how(path.read_text("utf-8"), frozenset(kept)), encoding="utf-8")


def _only_packages(text: str, kept: frozenset[str]) -> str:
    """Imports and registrations of the services that are kept."""
    names = {match[1] or match[2] for match in _IMPORT.finditer(text) if match[2] in kept}
    text = _IMPORT.sub(lambda match: match[0] if match[2] in kept else "", text)
    return _REGISTRATION.sub(lambda match: match[0] if match[1] in names else "", text)


def _only_clients(text: str, kept: frozenset[str]) -> str:
    """Makers of the clients that are used, and the imports that these need."""
    text = _CLIENT.sub(lambda match: match[0] if match[1] in kept else "", text)
    body = text.partition(")\n")[2]
    return _SDK_IMPORT.sub(
        lambda match: match[0] if re.search(rf"\b{match[1] or match[2]}\.", body) else "", text
    )
