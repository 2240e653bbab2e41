"""An alarm on a metric that nobody publishes with these dimensions waits for ever, and looks green.

What AWS publishes stands in `metrics.json` beside this file, each namespace with the page that says so; what
we publish ourselves, in the collector's values (`helm/collector`).
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["unpublished"]

_HERE: Final = Path(__file__).parent
_COLLECTOR: Final = _HERE.parents[1] / "helm" / "collector" / "values.yaml"
_OURS: Final = "Exchange"


@cache
def _published() -> dict[str, dict[str, list[list[str]]]]:
    """Namespace -> metric -> each set of dimensions that it is published with, sorted."""
    theirs = json.loads((_HERE / "metrics.json").read_text(encoding="utf-8"))
    ours = yaml.safe_load(_COLLECTOR.read_text(encoding="utf-8"))["cloudwatchMetrics"]
    return {
        **{namespace: entry["metrics"] for namespace, entry in theirs.items()},
        _OURS: {name: [[], *map(sorted, labels)] for name, labels in ours.items()},
    }


def unpublished(resources: list[dict[str, Any]]) -> list[str]:
    """What each alarm among these resources waits for in vain, in words."""
    return sorted(
        f"{resource['address']}: {problem}"
        for resource in resources
        if resource["type"] == "aws_cloudwatch_metric_alarm"
        for namespace, metric, dimensions in _watched(resource["values"])
        for problem in _problems(namespace, metric, sorted(dimensions or {}))
    )


def _watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    if alarm.get("metric_name"):
        yield alarm["namespace"], alarm["metric_name"], alarm.get("dimensions") or {}
    for query in alarm.get("metric_query") or []:
        for metric in query.get("metric") or []:
            yield metric["namespace"], metric["metric_name"], metric.get("dimensions") or {}


def _problems(namespace: str, metric: str, dimensions: list[str]) -> Iterator[str]:
    sets = _published().get(namespace, {}).get(metric)
    if sets is None:
        yield f"nobody is known to publish {namespace} {metric}: read its page, then add it to metrics.json"
    elif dimensions not in sets:
        yield f"{namespace} {metric} is published by {sets}, not by {dimensions}"
