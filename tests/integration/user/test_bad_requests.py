"""Whatever arrives, the answer is a problem document and nothing has changed."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from services.user.api import create_app
from tests.integration.user.conftest import PASSWORD, Exchange, assert_problem

pytestmark = pytest.mark.integration

JSON = {"Content-Type": "application/json"}


def sign_up(**changes: object) -> bytes:
    """A sign-up body in which fields are replaced; None leaves one out."""
    body: dict[str, object] = {"email": "zoe@example.com", "password": PASSWORD, **changes}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


async def tables(exchange: Exchange) -> tuple[int, int, int]:
    row = await exchange.resources.database.fetchrow(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM api_keys)"
    )
    assert row is not None
    return row[0], row[1], await exchange.resources.command_log.end_offset()


MALFORMED = [
    b"{",
    b"nonsense",
    b"\xff\xfe{}",
    b'{"email": "\xc3\x28", "password": "12345678"}',
    sign_up().decode().encode("utf-16"),
    b'{"email": NaN, "password": "12345678"}',
    b'{"email": -Infinity, "password": "12345678"}',
    b'{"email": 1e400, "password": "12345678"}',
    b'{"email": ' + b"9" * 5_000 + b"}",
    b"[" * 16_000,
    b'{"a":' * 2_500 + b"1" + b"}" * 2_500,
    b'{"email": "a@b.cd", "email": "zoe@example.com", "password": "12345678"}',
    b'{"email": "a@b.cd", "password": "1234567\\u0000"}',
    b'{"email": "a@b.cd", "password": "1234567\x00"}',
    b'{"email": "a@b.cd", "password": "1234567\\ud800"}',
    b'{"email": "a@b.cd", "password": "12345678", "\\u0000": 1}',
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
async def test_what_is_not_clean_json_is_refused(exchange: Exchange, body: bytes) -> None:
    before = await tables(exchange)
    for path in ("/v1/users", "/v1/sessions"):
        assert_problem(await exchange.client.post(path, content=body, headers=JSON), 400)
    assert await tables(exchange) == before


UNFIT = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    sign_up(email=None),
    sign_up(email=7),
    sign_up(email=["zoe@example.com"]),
    sign_up(email=""),
    sign_up(email="zoe"),
    sign_up(email="zoe@"),
    sign_up(email="@example.com"),
    sign_up(email="zoe@example"),
    sign_up(email="zoe@@example.com"),
    sign_up(email="a@zoe@example.com"),
    sign_up(email=" zoe@example.com"),
    sign_up(email="zoe@example.com\n"),
    sign_up(email=".zoe@example.com"),
    sign_up(email="zoe..x@example.com"),
    sign_up(email="zoe@-example.com"),
    sign_up(email="zoe@exa mple.com"),
    sign_up(email="\u212aim@example.com"),
    sign_up(email="z\u043ee@example.com"),
    sign_up(email="zoe@ex\u0430mple.com"),
    sign_up(email="z" * 65 + "@example.com"),
    sign_up(email="zoe@" + "a" * 63 + ("." + "a" * 63) * 3),
    sign_up(password=None),
    sign_up(password="1234567"),
    sign_up(password="1" * 129),
    sign_up(password=12345678),
    sign_up(password=True),
    sign_up(userId=1),
    sign_up(Email="zoe@example.com"),
]


@pytest.mark.parametrize("body", UNFIT, ids=range(len(UNFIT)))
async def test_what_is_no_sign_up_is_refused(exchange: Exchange, body: bytes) -> None:
    before = await tables(exchange)
    answer = await exchange.client.post("/v1/users", content=body, headers=JSON)
    assert_problem(answer, 422)
    assert answer.json()["errors"]
    assert "1234567" not in answer.text
    assert await tables(exchange) == before


async def test_passwords_of_both_extreme_lengths_work(exchange: Exchange) -> None:
    for index, password in enumerate(("12 45 78", "\u00fc\u00e4\u00f6xy" * 25 + "end", "      abcde")):
        login = {"email": f"p{index}@example.com", "password": password}
        assert (await exchange.client.post("/v1/users", json=login)).status_code == 201
        assert (await exchange.client.post("/v1/sessions", json=login)).status_code == 201


BAD_KEYS: list[dict[str, object]] = [
    {},
    {"label": "x"},
    {"permissions": ["READ"]},
    {"label": "", "permissions": ["READ"]},
    {"label": "  ", "permissions": ["READ"]},
    {"label": "a\nb", "permissions": ["READ"]},
    {"label": "x" * 65, "permissions": ["READ"]},
    {"label": 1, "permissions": ["READ"]},
    {"label": "x", "permissions": []},
    {"label": "x", "permissions": "READ"},
    {"label": "x", "permissions": ["read"]},
    {"label": "x", "permissions": ["ADMIN"]},
    {"label": "x", "permissions": ["READ", "READ"]},
    {"label": "x", "permissions": [1]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": ["localhost"]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": ["10.0.0.1/8"]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": ["10.0.0.256"]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": ["fe80::1%eth0"]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": "10.0.0.1"},
    {"label": "x", "permissions": ["READ"], "ipAllowList": None},
    {"label": "x", "permissions": ["READ"], "ipAllowList": ["10.0.0.1", "10.0.0.1"]},
    {"label": "x", "permissions": ["READ"], "ipAllowList": [f"10.0.0.{n}" for n in range(31)]},
    {"label": "x", "permissions": ["READ"], "publicKey": 5},
    {"label": "x", "permissions": ["READ"], "publicKey": "x" * 1_001},
    {"label": "x", "permissions": ["READ"], "secretKey": "mine"},
]


async def test_what_is_no_key_deposit_or_withdrawal_is_refused(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    before = await tables(exchange)
    transfers: list[dict[str, object]] = [
        {},
        {"asset": "USDT"},
        {"asset": "USDT", "amount": 1},
        {"asset": "USDT", "amount": 1.5},
        {"asset": "USDT", "amount": None},
        {"asset": "USDT", "amount": ["1"]},
        {"asset": 1, "amount": "1"},
        {"asset": "USDT", "amount": "1", "userId": 1},
    ]
    withdrawals: list[dict[str, object]] = [
        *({**body, "address": "bc1q"} for body in transfers),
        {"asset": "USDT", "amount": "1"},
        {"asset": "USDT", "amount": "1", "address": ""},
        {"asset": "USDT", "amount": "1", "address": "a b"},
        {"asset": "USDT", "amount": "1", "address": "\u00e9"},
        {"asset": "USDT", "amount": "1", "address": "a" * 129},
        {"asset": "USDT", "amount": "1", "address": 5},
    ]
    cases = (("/v1/api-keys", BAD_KEYS), ("/v1/deposits", transfers), ("/v1/withdrawals", withdrawals))
    for path, bodies in cases:
        for body in bodies:
            answer = await exchange.client.post(path, json=body, headers=person.headers)
            assert answer.status_code == 422, (path, body, answer.text)
            assert_problem(answer, 422)
            assert answer.json()["errors"], body
    assert await tables(exchange) == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=",
        "limit=" + "9" * 5_000,
        "fromId=-1",
        "fromId=9223372036854775808",
        "fromId=x",
        "unknown=1",
        "from_id=1",
        "asset=NOPE",
        "asset=%00",
        "asset=%ff",
        "asset=USDT'--",
    ],
)
async def test_a_query_that_does_not_fit_is_refused(exchange: Exchange, query: str) -> None:
    person = await exchange.signed_in()
    answer = await exchange.client.get(f"/v1/ledger?{query}", headers=person.headers)
    assert_problem(answer, 422)
    assert answer.json()["errors"][0]["parameter"] in {"limit", "fromId", "unknown", "from_id", "asset"}


async def test_the_edges_of_a_page_are_taken(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    for path in ("/v1/ledger", "/v1/deposits", "/v1/withdrawals"):
        for query in ("", "?limit=1", "?limit=1000", "?fromId=9223372036854775807"):
            assert (await exchange.client.get(path + query, headers=person.headers)).status_code == 200


async def test_unknown_paths_and_methods_are_problems_too(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    for path in ("/v1/nothing", "/v1", "/v1/users/", "/v1/api-keys/%00/x"):
        assert_problem(await exchange.client.get(path, headers=person.headers), 404)
    assert_problem(await exchange.client.put("/v1/users", content=b"{}", headers=JSON), 405)
    assert_problem(await exchange.client.delete("/v1/api-keys/%00", headers=person.headers), 404)
    assert_problem(await exchange.client.delete("/v1/api-keys/short", headers=person.headers), 404)


async def test_a_body_of_another_kind_is_refused(exchange: Exchange) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await exchange.client.post("/v1/users", content=sign_up(), headers={"Content-Type": kind})
        assert_problem(answer, 415)
    fine = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await exchange.client.post("/v1/users", content=sign_up(), headers=fine)).status_code == 201


async def test_a_body_above_sixteen_kibibytes_is_refused_announced_or_not(exchange: Exchange) -> None:
    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 1_024

    announced = await exchange.client.post("/v1/users", content=b" " * 16_385, headers=JSON)
    assert_problem(announced, 413)
    assert_problem(await exchange.client.post("/v1/users", content=in_parts(), headers=JSON), 413)


async def test_a_body_that_does_not_arrive_is_not_waited_for(exchange: Exchange) -> None:
    service = exchange.replicas[0]
    service.settings = service.settings.model_copy(update={"request_deadline_ms": 100})

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    transport = httpx.ASGITransport(create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
        answer = await client.post("/v1/users", content=stalled(), headers=JSON)
    assert_problem(answer, 408)


async def test_the_api_describes_itself(exchange: Exchange) -> None:
    described = (await exchange.client.get("/v1/openapi.json")).json()
    assert set(described["paths"]) == {
        "/v1/users",
        "/v1/sessions",
        "/v1/sessions/current",
        "/v1/me",
        "/v1/identities",
        "/v1/api-keys",
        "/v1/api-keys/{api_key}",
        "/v1/deposits",
        "/v1/withdrawal-freezes",
        "/v1/withdrawal-unfreezes",
        "/v1/withdrawals/{withdrawal_id}",
        "/v1/withdrawals",
        "/v1/withdrawal-addresses",
        "/v1/withdrawal-addresses/{address_id}",
        "/v1/ledger",
        "/v1/sessions/{session_id}",
        "/v1/security-events",
        "/v1/password",
        "/v1/password-resets",
        "/v1/password-resets/confirmations",
        "/v1/second-factor",
        "/v1/second-factor/confirmations",
        "/v1/second-factor/removals",
        "/v1/withdrawal-freezes/own",
        "/v1/reports/{kind}",
        "/v1/statements/{month}",
        "/v1/notices",
        "/v1/notices/choices",
        "/v1/notices/mail",
        "/v1/notices/mail/confirmations",
        "/v1/notices/webhook",
        "/v1/notices/webhook/tests",
    }
    assert "HTTPValidationError" not in json.dumps(described)
    assert (await exchange.client.get("/readyz")).status_code == 200
