"""The examples in the document of /v1 are whole, and each fits its own model."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from exchange.process.config import Settings
from services.user.api import create_app
from services.user.component import UserService
from services.user.doors.examples import VALUES
from services.user.doors.routes.schemas import Received, Sent


def document() -> dict[str, Any]:
    service = SimpleNamespace(settings=Settings(), limits=None, readiness=dict)
    return create_app(cast(UserService, service)).openapi()


def models() -> Iterator[type[BaseModel]]:
    ahead: list[type[BaseModel]] = [Received, Sent]
    while ahead:
        model = ahead.pop()
        ahead += model.__subclasses__()
        yield model


SCHEMAS = document()["components"]["schemas"]
MODELS = {model.__name__.removeprefix("_"): model for model in models()}
OURS = sorted(
    name for name, schema in SCHEMAS.items() if "ValidationError" not in name and "properties" in schema
)


def test_each_schema_has_one_and_no_value_is_for_nothing() -> None:
    assert len(OURS) > 40
    assert [name for name in OURS if len(SCHEMAS[name].get("examples", [])) != 1] == []
    fields = {field for name in OURS for field in SCHEMAS[name]["properties"]}
    assert {name.rpartition(".")[2] for name in VALUES} - fields == set()
    assert {name.partition(".")[0] for name in VALUES if "." in name} - set(OURS) == set()


@pytest.mark.parametrize("name", OURS)
def test_an_example_fits_its_model(name: str) -> None:
    (example,) = SCHEMAS[name]["examples"]
    shown = MODELS[name].model_validate_json(json.dumps(example))
    if isinstance(shown, Sent):
        assert set(example) == set(SCHEMAS[name]["properties"])
