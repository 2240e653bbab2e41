"""Schemathesis over the OpenAPI document of people, keys and money, on real PostgreSQL and Valkey."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.fuzz.openapi import Asked, operations, try_operation
from tests.integration.user.conftest import Exchange

pytestmark = pytest.mark.integration
SEED = 20_261_129


# Operations, and requests to each.
@pytest.mark.parametrize(
    ("count", "cases"),
    [
        pytest.param(4, 3, marks=pytest.mark.slow),
        pytest.param(1_000, 30, marks=[pytest.mark.thorough, pytest.mark.timeout(3_600)]),
    ],
)
async def test_no_request_breaks_the_user_service(exchange: Exchange, count: int, cases: int) -> None:
    print(f"seed {SEED}")
    document = (await exchange.client.get("/v1/openapi.json")).json()
    person = await exchange.signed_in()
    loop = asyncio.get_running_loop()

    async def ask(asked: Asked) -> httpx.Response:
        headers: Mapping[str, str] = person.headers if asked.is_signed else {}
        more: dict[str, Any] = {} if asked.body is None else {"json": asked.body}
        return await exchange.client.request(
            asked.verb, asked.path, params=asked.parameters, headers=headers, **more
        )

    def send(asked: Asked) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(ask(asked), loop).result(60)

    def all_of_them() -> None:
        for operation in operations(document, count, SEED):
            try_operation(document, operation, send, cases, SEED)

    await asyncio.to_thread(all_of_them)


# What the rest of the account's state says no to, whatever is sent: the example itself is understood.
_NOT_UNDERSTOOD = (400, 405, 415, 422)


async def test_the_examples_of_bodies_are_understood(exchange: Exchange) -> None:
    document = (await exchange.client.get("/v1/openapi.json")).json()
    schemas, asked = document["components"]["schemas"], 0
    for path, verbs in document["paths"].items():
        for verb, shape in verbs.items():
            if "requestBody" not in shape:
                continue
            name = shape["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            (body,) = schemas[name]["examples"]
            # Each with a session of its own: a new password ends the others.
            headers = (await exchange.signed_in()).headers
            answer = await exchange.client.request(verb, path, json=body, headers=headers)
            assert answer.status_code not in _NOT_UNDERSTOOD, (verb, path, answer.text)
            asked += 1
    assert asked > 15
