"""What IAM's own tables say about each permission: does the action exist, does it know such a resource.

AWS takes a policy that names an action on a resource which the action does not know, and never grants it.
The tables are those of cfn-lint (`Policies.json`), which come from the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["Iam", "overlap"]

_TAG: Final = "aws:ResourceTag/"
# Real, documented, and not yet in the table; each with the page that says so.
_YOUNGER: Final[dict[str, dict[str, Any]]] = {}


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in which "*" stands for anything."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


@dataclass(frozen=True)
class Iam:
    """The tables: service -> actions and kinds of resources, names in lower case as there."""

    services: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Iam":
        """Read what `infra.schema.install` put into the cache."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def violations(self, statement: dict[str, Any]) -> Iterator[str]:
        """What is wrong with one statement that allows something; resources must have the shape of ARNs."""
        if statement.get("Effect") != "Allow":
            return
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        unused = {resource for resource in resources if resource != "*"}
        for name in sorted(unused, key=str):
            if not str(name).startswith("arn:"):
                yield f"{name} is no ARN: give its resource one in testing/aws.tfmock.hcl"
                return
        tagged = any(key.startswith(_TAG) for test in statement.get("Condition", {}).values() for key in test)
        for action in actions:
            kinds = self._kinds(action)
            if kinds is None:
                yield f"{action} is no action of IAM"
                continue
            if not kinds:
                if "*" not in resources:
                    yield f"{action} knows no resources, so it is granted on * or not at all"
                if tagged:
                    yield f"{action} knows no resources, so a condition on their tags is never met"
                continue
            if tagged and not any(_has_tags(kind) for kind in kinds):
                yield f"{action} knows no resource with tags, so a condition on them is never met"
            formats = [pattern for kind in kinds for pattern in _formats(kind)]
            fitting = {name for name in resources if any(_fits(name, pattern) for pattern in formats)}
            if not fitting:
                yield f"{action} is granted on nothing that it knows: {', '.join(sorted(set(formats)))}"
            unused -= fitting
        for name in sorted(unused):
            yield f"{name} is no resource of {', '.join(actions)}"

    def _kinds(self, action: str) -> list[dict[str, Any]] | None:
        """The kinds of resources that an action knows, None for no such action."""
        service, _, name = action.partition(":")
        table = self.services.get(service, {"Actions": {}, "Resources": {}})
        entry = table["Actions"].get(name.lower(), _YOUNGER.get(action))
        if entry is None:
            return None
        kinds = {name.lower(): kind for name, kind in table["Resources"].items()}
        return [kinds[name.lower()] for name in entry.get("Resources", []) if name.lower() in kinds]


def _fits(name: str, pattern: str) -> bool:
    """By the parts of an ARN: what stands for a region or an account reaches over no colon."""
    if name == "*":
        return True
    parts, wanted = name.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(map(overlap, parts, wanted))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _has_tags(kind: dict[str, Any]) -> bool:
    return any(key.startswith(_TAG) for key in kind.get("ConditionKeys", []))


def _formats(kind: dict[str, Any]) -> list[str]:
    return [re.sub(r"\$\{\w+\}|\.\*", "*", pattern) for pattern in kind["ARNFormats"]]
