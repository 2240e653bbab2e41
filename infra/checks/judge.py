"""All rules over what one folder's tests came to: one list of problems, in words."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

from infra.checks.alarms import unpublished
from infra.checks.estate import faults
from infra.checks.iam import Iam
from infra.checks.rules import violations
from infra.checks.terraform import Outcome
from infra.checks.versions import ending

__all__ = ["judged"]


def judged(outcome: Outcome, iam: Iam, today: datetime.date) -> list[str]:
    """Every rule over every resource of every run of one folder: what is wrong, in words, sorted."""
    problems = {problem for resource in outcome.resources for problem in violations(resource)}
    problems |= set(_denied(outcome.resources, iam)) | set(unpublished(outcome.resources))
    problems |= set(ending(outcome.resources, today))
    for run in outcome.runs():
        problems |= set(faults(run))
    return sorted(problems)


def _denied(resources: list[dict[str, Any]], iam: Iam) -> Iterator[str]:
    for resource in resources:
        if resource["type"] in ("aws_iam_role_policy", "aws_iam_policy"):
            policy = json.loads(resource["values"].get("policy") or "{}")
            for statement in policy.get("Statement", []):
                for problem in iam.violations(statement):
                    yield f"{resource['address']}: {problem}"
