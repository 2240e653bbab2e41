"""What Terraform hands over is what the chart takes: its keys, and its schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.checks.terraform import Outcome

CHART = Path(__file__).parents[2] / "helm" / "exchange"
COLLECTOR = CHART.parent / "collector"


def merged(defaults: Any, values: Any) -> Any:
    """As Helm merges values: maps by key, everything else replaced, and a null takes the key away."""
    if not isinstance(defaults, dict) or not isinstance(values, dict):
        return values
    both = defaults | {key: merged(defaults.get(key), value) for key, value in values.items()}
    return {key: value for key, value in both.items() if value is not None}


def unknown_keys(defaults: Any, values: Any, path: str = "") -> list[str]:
    """Keys of `values` that the chart's own values do not have. An empty map there takes anything."""
    if not isinstance(defaults, dict) or not isinstance(values, dict) or not defaults:
        return []
    return [
        found
        for key, value in values.items()
        for found in (
            unknown_keys(defaults[key], value, f"{path}.{key}") if key in defaults else [f"{path}.{key}"]
        )
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "folder", ["environments/staging", pytest.param("modules/exchange", marks=pytest.mark.thorough)]
)
def test_the_chart_takes_what_terraform_hands_over(outcome_of: Callable[[str], Outcome], folder: str) -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    collector = yaml.safe_load((COLLECTOR / "values.yaml").read_text(encoding="utf-8"))
    collector_schema = json.loads((COLLECTOR / "values.schema.json").read_text(encoding="utf-8"))
    runs = [outputs["helm_values"] for outputs in outcome_of(folder).outputs]
    complete = 0
    for run in runs:
        handed_over = yaml.safe_load(run)
        assert unknown_keys(defaults, handed_over) == []
        if handed_over["global"]["image"]["digest"] is not None:
            jsonschema.validate(merged(defaults, handed_over), schema)
            complete += 1
        jsonschema.validate(merged(collector, handed_over), collector_schema)
        assert (
            handed_over["global"]["telemetry"]["metricsLogGroup"]
            == f"/{handed_over['global']['environment']}/metrics"
        )
    assert complete, "no run has an image, without which the chart takes nothing"
