"""The programs of a control plane: built once with Go from their published modules, kept in the cache."""

import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import yaml

from infra.checks.platform import Platform
from tests.helm.programs import cache_folder

# The oldest minor that the charts take; of the newest their objects are held to its schemas (tests/helm).
KUBERNETES = "1.34.4"
ETCD = "3.6.8"
KWOK = "0.8.0"
# The collector's parts, and the image that has them in this version: what helm/collector pins.
COLLECTOR = "0.131.0"
COLLECTOR_IMAGE = "v0.45.0"
# What autoscalers ask for the pods' own metrics: what the image of the platform layer's chart has. And what
# that asks: Prometheus 3.16.0 is 0.316.0 as a module.
ADAPTER = "0.12.0"
PROMETHEUS = "0.316.0"
# The adapter's account and what it may do, as its own module has it.
ADAPTER_RIGHTS = f"adapter-rights-{ADAPTER}.json"
_ADAPTER_RIGHTS = (
    "service-account",
    "cluster-role",
    "cluster-role-binding",
    "cluster-role-binding-delegator",
    "role-binding-auth-reader",
)
# Whose kinds the charts use: the definitions lie in the operators' own modules.
EXTERNAL_SECRETS = "1.3.2"
PROMETHEUS_OPERATOR = "0.85.0"
KINDS = f"kinds-{EXTERNAL_SECRETS}-{PROMETHEUS_OPERATOR}.json"
_KINDS = (
    ("github.com/external-secrets/external-secrets", EXTERNAL_SECRETS, "config/crds/bases"),
    (
        "github.com/prometheus-operator/prometheus-operator",
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd",
    ),
)
# How kwok's nodes and pods behave, as its own module has it.
STAGES = "stages.yaml"
_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
_MODULE = Path(__file__).with_name("kubernetes")
_ETCD_MODULE = Path(__file__).with_name("etcd")
_COLLECTOR_MODULE = Path(__file__).with_name("collector")
_ADAPTER_MODULE = Path(__file__).with_name("adapter")
_VERSION = "k8s.io/component-base/version"
_KUBERNETES_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# How many packages the three are made of, for the progress shown.
_PACKAGES = 2_300
_COLLECTOR = f"collector-{COLLECTOR}"
_ADAPTER = f"prometheus-adapter-{ADAPTER}"
_DEADLINE_S = 3_600


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Takes a lone "=" for a text, as YAML 1.2 does."""


_PlainLoader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


class BuildError(Exception):
    """There is no Go, or it could not build."""


def collector() -> Path:
    """The collector in `programs()`."""
    return programs() / _COLLECTOR


def adapter() -> Path:
    """The Prometheus adapter in `programs()`."""
    return programs() / _ADAPTER


def programs() -> Path:
    """The folder with etcd, kwok, its stages, Kubernetes' three and what stands beside; built if need be.

    Raises BuildError.
    """
    home = cache_folder() / f"kubernetes-{KUBERNETES}"
    done = home / "bin"
    wanted = {
        *_KUBERNETES_PROGRAMS,
        "etcd",
        "kwok",
        STAGES,
        KINDS,
        _COLLECTOR,
        "prometheus",
        _ADAPTER,
        ADAPTER_RIGHTS,
    }
    home.mkdir(parents=True, exist_ok=True)
    with (home / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = {name for name in wanted if not (done / name).exists()}
        if missing:
            _build(home, missing)
    return done


def _build(home: Path, missing: set[str]) -> None:
    if shutil.which("go") is None:
        raise BuildError(
            "cluster-test needs Go 1.26 or newer to build Kubernetes and what stands beside it, once"
        )
    partial = home / "partial"
    partial.mkdir(exist_ok=True)
    print(
        f"building {', '.join(sorted(missing))} once (all of it takes a quarter of an hour) ...", flush=True
    )
    if missing & set(_KUBERNETES_PROGRAMS):
        packages = [f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES_PROGRAMS]
        major, minor, _ = KUBERNETES.split(".")
        stamp = (
            f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES} "
            f"-X {_VERSION}.gitMajor={major} -X {_VERSION}.gitMinor={minor}"
        )
        run_go(["build", "-ldflags", stamp, "-o", f"{partial}/", *packages], partial, _MODULE, _PACKAGES)
    if "kwok" in missing:
        run_go(["install", "-ldflags", "-s -w", f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK}"], partial, home, 500)
    if "etcd" in missing:
        # Its module has replacements, so it cannot be installed by name and version.
        arguments = ["build", "-ldflags", "-s -w", "-o", str(partial / "etcd"), "go.etcd.io/etcd/server/v3"]
        run_go(arguments, partial, _ETCD_MODULE, 250)
    if _COLLECTOR in missing:
        arguments = ["build", "-ldflags", "-s -w", "-o", str(partial / _COLLECTOR), "."]
        run_go(arguments, partial, _COLLECTOR_MODULE, 1_850)
    if "prometheus" in missing:
        # Without the ways to find targets in two dozen clouds.
        package = f"github.com/prometheus/prometheus/cmd/prometheus@v{PROMETHEUS}"
        run_go(["install", "-tags", "remove_all_sd", "-ldflags", "-s -w", package], partial, home, 1_000)
    if _ADAPTER in missing:
        package = "sigs.k8s.io/prometheus-adapter/cmd/adapter"
        arguments = ["build", "-ldflags", "-s -w", "-o", str(partial / _ADAPTER), package]
        run_go(arguments, partial, _ADAPTER_MODULE, 1_230)
    if ADAPTER_RIGHTS in missing:
        _copy_rights(partial / ADAPTER_RIGHTS)
    if STAGES in missing:
        _copy_stages(partial / STAGES)
    if KINDS in missing:
        _copy_kinds(partial / KINDS)
    (home / "bin").mkdir(exist_ok=True)
    for name in missing:
        (partial / name).replace(home / "bin" / name)


def run_go(arguments: list[str], binaries: Path, folder: Path, packages: int) -> None:
    """Run go at low priority, one package at a time, telling every half minute how far it is."""
    verb, *rest = arguments
    command = ["nice", "-n", "19", "go", verb, "-v", "-p", "1", "-trimpath", *rest]
    environment = {**os.environ, "GOBIN": str(binaries), "GOFLAGS": "-buildvcs=false"}
    said: list[str] = []
    told_s = started_s = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as go:
        assert go.stderr is not None
        for line in go.stderr:
            said.append(line)
            now_s = time.monotonic()
            if now_s - started_s > _DEADLINE_S:
                go.kill()
            if now_s - told_s > 30:
                told_s = now_s
                print(f"  {rest[-1].split('/')[-1]}: {len(said)} of up to {packages} packages", flush=True)
    if go.returncode != 0:
        raise BuildError(f"go {verb} failed:\n{''.join(said[-20:])}")


def _copy_stages(target: Path) -> None:
    source = _module_folder("sigs.k8s.io/kwok", KWOK) / "kustomize" / "stage"
    parts = [
        file.read_text("utf-8")
        for folder in _STAGES
        for file in sorted((source / folder).glob("*.yaml"))
        if "kind: Stage" in file.read_text("utf-8")
    ]
    target.write_text("\n---\n".join(parts), encoding="utf-8")


def _copy_kinds(target: Path) -> None:
    """The definitions of all kinds that infra/platform-kinds.json lists of these operators."""
    wanted = {kind.rpartition("/")[2] for kind in Platform.listed().kinds}
    found = [
        definition
        for module, version, folder in _KINDS
        for file in sorted((_module_folder(module, version) / folder).glob("*.yaml"))
        if (definition := yaml.load(file.read_text("utf-8"), Loader=_PlainLoader))["kind"] != "Kustomization"
    ]
    kept = [definition for definition in found if definition["spec"]["names"]["kind"] in wanted]
    target.write_text(json.dumps(kept), encoding="utf-8")


def _copy_rights(target: Path) -> None:
    source = _module_folder("sigs.k8s.io/prometheus-adapter", ADAPTER) / "deploy" / "manifests"
    found = [yaml.safe_load((source / f"{name}.yaml").read_text("utf-8")) for name in _ADAPTER_RIGHTS]
    target.write_text(json.dumps(found), encoding="utf-8")


def _module_folder(module: str, version: str) -> Path:
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@v{version}"],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=_MODULE, env={**os.environ, "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    for line in done.stdout.splitlines():
        name, _, value = line.strip().partition(": ")
        if name == '"Dir"':
            return Path(value.strip('",'))
    raise BuildError(f"{module} {version} cannot be had: {done.stdout}{done.stderr}")
