"""The chart, rendered by helm itself for every shape that we promise to support."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.helm import programs

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "exchange"
# What Terraform asks EKS for, and the oldest version that the charts take.
KUBERNETES = "1.36"
OLDEST_KUBERNETES = "1.34"
NAMESPACE = "exchange"
# Shape -> its values files, in order.
SHAPES = {
    "local": ("values-local.yaml",),
    "staging": ("values-staging.yaml", "ci/handover.yaml"),
    "production": ("values-production.yaml", "ci/handover.yaml"),
    "tenfold": ("values-production.yaml", "values-tenfold.yaml", "ci/handover.yaml"),
}
AWS_SHAPES = tuple(name for name in SHAPES if name != "local")
# Brokers that ask for a password instead of a role.
SCRAM = (
    *("--set", "global.kafka.saslMechanism=SCRAM-SHA-512"),
    *("--set", "global.kafka.secretName=AmazonMSK_exchange"),
)
# A database that knows one user with a password, where Terraform's has one for each service, by its role.
BY_PASSWORD = ("--set", "global.database.auth=password")
Object = dict[str, Any]


class HelmError(Exception):
    """What helm said when it refused."""


def run_helm(*arguments: str) -> str:
    """Run helm offline; its output. Raises HelmError."""
    done = subprocess.run(
        [str(programs.helm()), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def values_arguments(shape: str) -> list[str]:
    return [word for file in SHAPES[shape] for word in ("--values", str(CHART / file))]


@functools.cache
def rendered_text(shape: str, *more: str) -> str:
    """The manifests of a shape; `more` are further arguments, such as ("--set", "a=b")."""
    return run_helm(
        "template", "exchange", str(CHART), "--namespace", NAMESPACE,
        "--kube-version", f"{KUBERNETES}.0", *values_arguments(shape), *more,
    )  # fmt: skip


@functools.cache
def rendered(shape: str, *more: str) -> tuple[Object, ...]:
    # libyaml's: the loader in Python takes ten times as long, and most of these tests' time.
    read = yaml.load_all(rendered_text(shape, *more), yaml.CSafeLoader)
    return tuple(found for found in read if found is not None)


def objects(shape: str, kind: str, *more: str) -> dict[str, Object]:
    """Name -> object of one kind."""
    return {found["metadata"]["name"]: found for found in rendered(shape, *more) if found["kind"] == kind}


def workloads(shape: str, *more: str) -> dict[str, Object]:
    """Name -> everything that makes pods."""
    return {
        name: found
        for kind in ("Deployment", "StatefulSet", "Job")
        for name, found in objects(shape, kind, *more).items()
    }


def pods(shape: str, *more: str) -> Iterator[tuple[str, Object]]:
    """(workload, pod spec) of everything that makes pods."""
    for name, found in workloads(shape, *more).items():
        yield name, found["spec"]["template"]["spec"]


def containers(shape: str, *more: str) -> Iterator[tuple[str, Object]]:
    for name, pod in pods(shape, *more):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield name, container


def logins(shape: str, *more: str) -> dict[str, dict[str, Object]]:
    """Workload -> setting -> {name, key} of the Secret whose file it has."""
    return {
        name: {
            item["path"]: {"name": source["secret"]["name"], "key": item["key"]}
            for volume in pod.get("volumes", [])
            if volume["name"] == "logins"
            for source in volume["projected"]["sources"]
            for item in source["secret"]["items"]
        }
        for name, pod in pods(shape, *more)
    }
