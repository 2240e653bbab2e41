"""The OpenAPI document of orders and accounts is true: it has every route, and its examples are sent."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from services.order.doors.documents import EXAMPLES, OPENAPI_PATH
from services.order.doors.endpoint import Security
from tests.unit.order.order_exchange import ALICE, KEYS, OrderExchange

# Codes of a request that was not understood: an example gets none of them.
MISTAKES = {-1100, -1101, -1102, -1103, -1104, -1105, -1106, -1116, -1121, -1130}


async def described(exchange: OrderExchange) -> dict[str, Any]:
    answer = await exchange.client.get(OPENAPI_PATH)
    shape: dict[str, Any] = answer.json()
    return shape


async def test_it_has_every_route_and_no_other(exchange: OrderExchange) -> None:
    document = await described(exchange)
    routes = {
        f"{verb} {path if path.startswith('/sapi/') else '/api/v3' + path}": endpoint
        for path, verbs in exchange.service.routes.items()
        for verb, endpoint in verbs.items()
    }
    told = {
        f"{verb.upper()} {path}": shape
        for path, verbs in document["paths"].items()
        for verb, shape in verbs.items()
    }
    assert told.keys() == routes.keys()
    for place, endpoint in routes.items():
        proofs = told[place].get("security", [])
        assert bool(proofs) == (endpoint.security is not Security.NONE), place
        assert any("signature" in proof for proof in proofs) == endpoint.security.is_signed, place
        if endpoint.parameters is not None and endpoint.security.is_signed:
            assert {one["name"] for one in told[place]["parameters"]} == endpoint.parameters, place
    assert set(EXAMPLES) <= {f"{v} {p}" for p, verbs in exchange.service.routes.items() for v in verbs}


@pytest.mark.parametrize("place", EXAMPLES)
async def test_what_it_says_of_a_route_is_so(exchange: OrderExchange, place: str) -> None:
    verb, path = place.split()
    required, text = EXAMPLES[place]
    example: dict[str, object] = dict(parse_qsl(text))
    if path == "/userDataStream":
        headers = {"X-MBX-APIKEY": KEYS[ALICE]}
        assert (await exchange.raw(verb, path, text, headers=headers)).json()["code"] == -1125
        assert (await exchange.raw(verb, path, headers=headers)).json()["code"] == -1102
        return
    answer = (await exchange.request(verb, path, ALICE, **example)).json()
    code = answer.get("code") if isinstance(answer, dict) else None
    assert code not in MISTAKES, answer
    for name in required.split():
        fewer = {other: value for other, value in example.items() if other != name}
        refused = await exchange.request(verb, path, ALICE, **fewer)
        assert refused.json()["code"] == -1102, name
