"""Requests by Schemathesis from what a service says of itself in OpenAPI, and what no answer may be.

Half of the requests begin with the operation's own example, so that what is generated comes as far as one
parameter of a request that is right otherwise.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Err

__all__ = ["Asked", "check_answer", "operations", "try_operation"]

MODES: Final = tuple(schemathesis.GenerationMode)


class Asked(NamedTuple):
    """One request. `parameters`: the query's; `body`: JSON or None; `is_signed`: to be signed rightly."""

    verb: str
    path: str
    parameters: dict[str, str]
    body: Any
    is_signed: bool


def operations(document: Mapping[str, Any], count: int, seed_number: int) -> list[Any]:
    """That many operations of a document, or all. Raises what Schemathesis says of one it cannot read."""
    described = schemathesis.openapi.from_dict(dict(document)).get_all_operations()
    found = []
    for result in described:
        if isinstance(result, Err):
            raise result.err()
        found.append(result.ok())
    return random.Random(seed_number).sample(found, min(count, len(found)))


def example_of(document: Mapping[str, Any], operation: Any) -> dict[str, str]:
    """The query that the document itself gives for an operation."""
    shape = document["paths"][operation.path][operation.method.lower()]
    found = {one["name"]: one["example"] for one in shape.get("parameters", ()) if "example" in one}
    return {name: str(value) for name, value in found.items()}


def try_operation(
    document: Mapping[str, Any],
    operation: Any,
    send: Callable[[Asked], httpx.Response],
    cases: int,
    seed_number: int,
) -> None:
    """Send that many requests, of both modes; raise AssertionError for an answer that must not be."""
    example = example_of(document, operation)
    generated = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in MODES))

    @seed(seed_number)
    @settings(
        max_examples=cases, database=None, deadline=None, derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=generated, begins_right=st.booleans(), is_signed=st.booleans(), data=st.data())
    def run(case: Any, begins_right: bool, is_signed: bool, data: st.DataObject) -> None:
        texts = {str(name): str(value) for name, value in dict(case.query or {}).items()}
        if begins_right and example:
            kept = data.draw(st.sets(st.sampled_from(sorted(example))))
            texts |= {name: example[name] for name in kept}
        body = case.body if isinstance(case.body, dict | list | str | int) else None
        asked = Asked(case.method, case.formatted_path, texts, body, is_signed)
        check_answer(asked, send(asked))

    run()


def check_answer(asked: Asked, answer: httpx.Response) -> None:
    """No fault of ours, and none of a framework's own words."""
    assert answer.status_code < 500, f"{asked}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code == 200 and not asked.path.startswith("/v1"):
        answer.json()
    elif answer.status_code >= 400 and asked.path.startswith(("/api/", "/sapi/")):
        body = answer.json()
        assert {"code", "msg"} <= body.keys(), f"{asked}: {answer.text[:300]}"
        assert isinstance(body["code"], int)
        assert "detail" not in body
