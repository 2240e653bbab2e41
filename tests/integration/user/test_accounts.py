"""Sign-up, log-in, log-out and API keys, over two replicas."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import argon2
import httpx
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from exchange.adapters.redis.client import open_cache
from exchange.process.components import Resources
from exchange.security.credentials import FRESH_S, HMAC, CredentialsUnavailableError, PostgresCredentials
from services.user.api import create_app
from services.user.component import UserService
from services.user.people import accounts
from tests.at_work import WAIT_S, eventually
from tests.integration.user.conftest import PASSWORD, Exchange, assert_problem, client_of

pytestmark = pytest.mark.integration


async def test_an_account_opens_a_session_that_every_replica_knows(exchange: Exchange) -> None:
    signed_up = await exchange.client.post(
        "/v1/users", json={"email": "Alice@Example.COM", "password": PASSWORD}
    )
    assert signed_up.status_code == 201
    user_id = signed_up.json()["userId"]
    assert signed_up.json() == {"userId": user_id, "email": "alice@example.com"}
    assert user_id >= 1001
    session = await exchange.client.post(
        "/v1/sessions", json={"email": "ALICE@example.com", "password": PASSWORD}
    )
    assert session.status_code == 201
    assert set(session.json()) == {"accessToken", "tokenType", "expiresIn"}
    assert session.json()["tokenType"] == "Bearer"
    assert session.json()["expiresIn"] == 86_400
    assert session.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {session.json()['accessToken']}"}
    for client in exchange.clients:
        me = await client.get("/v1/me", headers=headers)
        assert me.status_code == 200
        assert me.json()["userId"] == user_id
        assert me.json()["email"] == "alice@example.com"


async def test_an_address_is_one_account_even_when_many_ask_at_once(exchange: Exchange) -> None:
    answers = await asyncio.gather(
        *(
            client.post("/v1/users", json={"email": email, "password": PASSWORD})
            for client in exchange.clients
            for email in ("bob@example.com", "BOB@example.com")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409)


async def test_a_session_is_refused_on_every_replica_at_once_after_log_out(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    ended = await exchange.clients[0].delete("/v1/sessions/current", headers=person.headers)
    assert ended.status_code == 204
    assert ended.content == b""
    for client in exchange.clients:
        refused = await client.get("/v1/me", headers=person.headers)
        assert_problem(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_the_cache_holds_no_token_and_the_database_no_password(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    keys = [key async for key in exchange.resources.cache.scan_iter("*")]
    token_hash = hashlib.sha256(person.token.encode()).hexdigest()
    name = f"sessions:{{{person.user_id}}}:{token_hash}"
    assert name.encode() in keys
    assert not any(person.token.encode() in key for key in keys)
    assert 0 < await exchange.resources.cache.ttl(name) <= 86_400
    stored = await exchange.resources.database.fetchval("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$")


async def test_the_oldest_sessions_end_when_an_account_opens_too_many(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    sessions = exchange.replicas[0]._sessions
    for _ in range(50):
        newest, token_hash = sessions.new_token(person.user_id)
        await sessions.open(person.user_id, token_hash)
    assert await sessions.find(person.token) is None
    assert await sessions.find(newest) is not None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer " + "A" * 43, "bearer  "])
async def test_without_a_session_every_other_route_is_refused(exchange: Exchange, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for method, path in (
        ("GET", "/v1/me"),
        ("GET", "/v1/api-keys"),
        ("POST", "/v1/api-keys"),
        ("DELETE", "/v1/api-keys/" + "a" * 64),
        ("DELETE", "/v1/sessions/current"),
        ("GET", "/v1/deposits"),
        ("GET", "/v1/withdrawals"),
        ("GET", "/v1/ledger"),
    ):
        assert_problem(await exchange.client.request(method, path, headers=headers), 401)


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer after the same work: one password against one hash of the same cost, known or not."""
    work, done = PasswordHasher.verify, list[argon2.Parameters]()

    def counted(hasher: PasswordHasher, stored: str | bytes, password: str | bytes) -> Literal[True]:
        done.append(argon2.extract_parameters(str(stored)))
        return work(hasher, stored, password)

    person = await exchange.signed_in()
    monkeypatch.setattr(PasswordHasher, "verify", counted)
    answers = []
    for email in (person.email, "nobody@example.com"):
        attempt = {"email": email, "password": "wrong password"}
        answers.append(await exchange.client.post("/v1/sessions", json=attempt))
        assert_problem(answers[-1], 401)
    assert answers[0].content == answers[1].content
    known, unknown = done
    assert known == unknown


class StandingClock:
    """Seconds that pass when a test says so: no key grows old in between, however slow the machine is."""

    def __init__(self) -> None:
        self.now_s = time.monotonic()

    def __call__(self) -> float:
        return self.now_s


async def gone(credentials: PostgresCredentials, api_key: str) -> None:
    """Wait until the key is refused."""
    async with asyncio.timeout(WAIT_S):
        while await credentials.find(api_key) is not None:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def limited_client(
    resources: Resources, exchange: Exchange, address: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client at `address` of a replica that counts attempts."""
    strict = resources.settings.model_copy(update={"rate_limits": True})
    limited = UserService(replace(resources, settings=strict))
    await exchange.running.start(limited)
    transport = httpx.ASGITransport(create_app(limited), client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
        yield client


async def test_too_many_attempts_are_told_when_to_come_back(resources: Resources, exchange: Exchange) -> None:
    login = {"email": "eve@example.com", "password": "wrong password"}
    async with limited_client(resources, exchange, "10.0.0.1") as client:
        for _ in range(10):
            assert_problem(await client.post("/v1/sessions", json=login), 401)
        refused = await client.post("/v1/sessions", json=login)
        assert_problem(refused, 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        other = await client.post("/v1/sessions", json={**login, "email": "mallory@example.com"})
        assert_problem(other, 401)
    # Many machines do not get more tries at one account than one machine does.
    async with limited_client(resources, exchange, "10.0.0.2") as client:
        assert_problem(await client.post("/v1/sessions", json=login), 429)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
async def test_one_address_does_not_get_to_try_many_accounts(
    resources: Resources,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
    is_same: bool,
) -> None:
    monkeypatch.setattr(accounts, "ATTEMPTS_PER_ADDRESS_MAX", 2)

    async def sign_up(client: httpx.AsyncClient, number: int) -> int:
        body = {"email": f"eve{number}@example.com", "password": PASSWORD}
        return (await client.post("/v1/users", json=body)).status_code

    async with limited_client(resources, exchange, first) as client:
        statuses = [await sign_up(client, number) for number in range(3)]
    assert statuses == [201, 201, 429]
    async with limited_client(resources, exchange, second) as client:
        assert await sign_up(client, 100) == (429 if is_same else 201)


async def test_a_48_does_not_get_to_try_65536_times_as_much(
    resources: Resources, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "ATTEMPTS_PER_NETWORK_MAX", 3)
    statuses = []
    for number, network in enumerate(["1", "1", "1", "1", "2"]):
        async with limited_client(resources, exchange, f"2001:db8:{network}:{number}::1") as client:
            body = {"email": f"eve{number}@example.com", "password": PASSWORD}
            statuses.append((await client.post("/v1/users", json=body)).status_code)
    assert statuses == [201, 201, 201, 429, 201]


async def test_without_rate_limits_nobody_counts(exchange: Exchange) -> None:
    login = {"email": "eve@example.com", "password": "wrong password"}
    answers = [await exchange.client.post("/v1/sessions", json=login) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {401}
    assert [key async for key in exchange.resources.cache.scan_iter("attempts:*")] == []


async def test_without_the_cache_sessions_answer_503(resources: Resources, exchange: Exchange) -> None:
    person = await exchange.signed_in()
    nowhere = resources.settings.model_copy(update={"cache_url": SecretStr("redis://127.0.0.1:1/0")})
    cut_off = UserService(replace(resources, settings=nowhere, cache=open_cache(nowhere)))
    await exchange.running.start(cut_off)
    async with client_of(cut_off) as client:
        refused = await client.get("/v1/me", headers=person.headers)
        assert_problem(refused, 503)
        assert "retry-after" in refused.headers
        login = {"email": person.email, "password": PASSWORD}
        assert_problem(await client.post("/v1/sessions", json=login), 503)


async def test_before_it_has_started_the_service_answers_503(resources: Resources) -> None:
    async with client_of(UserService(resources)) as client:
        login = {"email": "a@example.com", "password": PASSWORD}
        assert_problem(await client.post("/v1/users", json=login), 503)
        assert (await client.get("/readyz")).status_code == 503


async def test_an_api_key_lives_from_creation_to_revocation(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    credentials = PostgresCredentials.from_resources(exchange.resources)
    # Standing still: not by age does the key end.
    credentials._clock_s = StandingClock()
    await exchange.running.start(credentials)
    created = await exchange.client.post(
        "/v1/api-keys",
        json={
            "label": "bot",
            "permissions": ["TRADE", "READ"],
            "ipAllowList": ["10.0.0.0/8", "2001:DB8::1"],
        },
        headers=person.headers,
    )
    assert created.status_code == 201, created.text
    api_key, secret_key = created.json()["apiKey"], created.json()["secretKey"]
    assert set(created.json()) == {"apiKey", "secretKey"}
    for text in (api_key, secret_key):
        assert len(text) == 64
        assert text.isascii()
        assert text.isalnum()

    shown = (await exchange.clients[1].get("/v1/api-keys", headers=person.headers)).json()["apiKeys"]
    created_at = shown[0].pop("createdAt")
    assert abs(created_at - time.time() * 1000) < 60_000
    assert shown == [
        {
            "apiKey": api_key,
            "label": "bot",
            "permissions": ["READ", "TRADE"],
            "ipAllowList": ["10.0.0.0/8", "2001:db8::1"],
            "kind": "HMAC",
            "lastUsedAt": None,
            "sessionId": None,
        }
    ]
    found = await credentials.find(api_key)
    assert found is not None
    assert found.user_id == person.user_id
    assert found.kind == HMAC
    assert found.secret == secret_key.encode()
    assert found.permissions == {"READ", "TRADE"}
    assert found.allows_ip("10.1.2.3")
    assert not found.allows_ip("11.1.2.3")
    sealed = await exchange.resources.database.fetchval("SELECT secret_encrypted FROM api_keys")
    assert secret_key.encode() not in sealed

    await eventually(lambda: credentials._following)
    assert (await credentials.find(api_key)) is not None
    revoked = await exchange.client.delete(f"/v1/api-keys/{api_key}", headers=person.headers)
    assert revoked.status_code == 204
    await gone(credentials, api_key)
    again = await exchange.client.delete(f"/v1/api-keys/{api_key}", headers=person.headers)
    assert_problem(again, 404)
    assert (await exchange.client.get("/v1/api-keys", headers=person.headers)).json() == {"apiKeys": []}


async def test_a_revocation_that_nobody_heard_is_made_good_when_the_connection_is_back(
    exchange: Exchange,
) -> None:
    person = await exchange.signed_in()
    credentials = PostgresCredentials.from_resources(exchange.resources)
    # Standing still: not by age does the key end.
    credentials._clock_s = StandingClock()
    await exchange.running.start(credentials)
    await eventually(lambda: credentials._following)
    body = {"label": "bot", "permissions": ["READ"]}
    created = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    api_key = created.json()["apiKey"]
    assert await credentials.find(api_key) is not None
    # Revoked behind everybody's back while the line is cut.
    await exchange.resources.database.execute("UPDATE api_keys SET revoked_ms = 1")
    assert await exchange.resources.cache.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1
    await gone(credentials, api_key)


async def test_without_the_cache_a_revoked_key_is_refused_after_five_seconds(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    nowhere = exchange.resources.settings.model_copy(
        update={"cache_url": SecretStr("redis://127.0.0.1:1/0"), "cache_deadline_ms": 200}
    )
    credentials = PostgresCredentials.from_resources(
        replace(exchange.resources, settings=nowhere, cache=open_cache(nowhere))
    )
    credentials._clock_s = clock = StandingClock()
    await exchange.running.start(credentials)
    body = {"label": "bot", "permissions": ["READ"]}
    created = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    api_key = created.json()["apiKey"]
    assert await credentials.find(api_key) is not None
    await exchange.resources.database.execute("UPDATE api_keys SET revoked_ms = 1")
    assert await credentials.find(api_key) is not None
    clock.now_s += FRESH_S
    assert await credentials.find(api_key) is None


async def test_another_users_key_can_neither_be_seen_nor_revoked(exchange: Exchange) -> None:
    owner, stranger = await exchange.signed_in(), await exchange.signed_in()
    body = {"label": "mine", "permissions": ["READ"]}
    api_key = (await exchange.client.post("/v1/api-keys", json=body, headers=owner.headers)).json()["apiKey"]
    seen = await exchange.client.get("/v1/api-keys", headers=stranger.headers)
    assert seen.json() == {"apiKeys": []}
    assert_problem(await exchange.client.delete(f"/v1/api-keys/{api_key}", headers=stranger.headers), 404)
    assert await PostgresCredentials.from_resources(exchange.resources).find(api_key) is not None


async def test_an_account_may_have_thirty_keys_even_when_asked_for_at_once(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    body = {"label": "one of many", "permissions": ["READ"]}
    answers = await asyncio.gather(
        *(exchange.client.post("/v1/api-keys", json=body, headers=person.headers) for _ in range(33))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 30 + [409] * 3


async def test_keys_are_not_guessed_when_the_database_is_away(resources: Resources) -> None:
    credentials = PostgresCredentials.from_resources(resources)
    assert await credentials.find("a" * 64) is None
    assert await credentials.find("too short") is None
    assert await credentials.find("\u00e9" * 64) is None
    await resources.database.close()
    with pytest.raises(CredentialsUnavailableError):
        await credentials.find("b" * 64)
