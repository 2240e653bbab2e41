"""The collector's chart, rendered by helm, and what the alarms ask it for."""

import functools
import re
from typing import Any

import yaml

from tests.helm.charts import CHART, KUBERNETES, ROOT, Object, run_helm

COLLECTOR = ROOT / "helm" / "collector"
OBSERVABILITY = ROOT / "infra" / "terraform" / "modules" / "observability"
HANDOVER = ("--values", str(CHART / "ci" / "handover.yaml"))
WITHOUT_PROMETHEUS = ("--set", "global.telemetry.prometheusEndpoint=null")


@functools.cache
def rendered(*more: str) -> tuple[Object, ...]:
    text = run_helm(
        *("template", "collector", str(COLLECTOR), "--namespace", "opentelemetry"),
        *("--kube-version", f"{KUBERNETES}.0", *HANDOVER, *more),
    )
    return tuple(found for found in yaml.load_all(text, yaml.CSafeLoader) if found is not None)


def one(kind: str, *more: str, of_logs: bool = False) -> Any:
    (found,) = (
        each
        for each in rendered(*more)
        if each["kind"] == kind and (each["metadata"]["name"] == "logs") == of_logs
    )
    return found


def config(*more: str, of_logs: bool = False) -> Any:
    return yaml.safe_load(one("ConfigMap", *more, of_logs=of_logs)["data"]["collector.yaml"])


def asked_for() -> dict[str, set[tuple[str, ...]]]:
    """Metric -> the sets of dimensions that alarms name it by."""
    text = "".join((OBSERVABILITY / name).read_text("utf-8") for name in ("alarms.tf", "main.tf"))
    asked: dict[str, set[tuple[str, ...]]] = {}
    for metric, more in re.findall(r'"(exchange_[a-z_]+)"([^{}]*(?:\{[^{}]*\})?)', text):
        dimensions = re.search(r"dimensions\s*=\s*\{([^{}]*)\}", more)
        names = re.findall(r"(\w+)\s*=", dimensions[1]) if dimensions else []
        asked.setdefault(metric, set()).add(tuple(names))
    return asked
