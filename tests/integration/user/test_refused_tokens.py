"""Tokens that prove nothing: each is refused with a reason, on every replica, and nothing comes of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from exchange.process.components import Resources
from exchange.process.config import Settings, SettingsError
from exchange.security.identity import issuer_keys
from exchange.security.identity.issuer_keys import IssuerKeys
from exchange.security.identity.issuers import parse_issuers
from exchange.security.identity.verifier import KeysUnavailableError
from services.user.api import create_app
from services.user.component import UserService
from tests.integration.user.conftest import Exchange, assert_problem
from tests.integration.user.issuers import (
    AUDIENCE,
    MOODS,
    WRONG_CLAIMS,
    MoodyIssuer,
    asked_of_all,
    bearer,
    believing,
    everything_made,
    forged,
    keys_are_read,
    running,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MoodyIssuer]:
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 0.05)
    async with running() as started:
        yield started


@pytest.fixture
def settings(settings: Settings, issuer: MoodyIssuer) -> Settings:
    return believing(settings, issuer.url)


def assert_refused(answer: httpx.Response, what: str) -> None:
    assert answer.status_code == 401, f"{what}: {answer.text}"
    assert_problem(answer, 401)
    assert answer.json()["type"].endswith((":token-refused", ":not-signed-in")), what
    assert answer.headers["www-authenticate"].startswith("Bearer"), what


async def test_a_forged_token_is_refused_and_nothing_comes_of_it(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    good = issuer.tokens("ann@example.com")
    before = await everything_made(exchange)
    for token in good.values():
        for what, forgery in forged(issuer, token).items():
            for answer in await asked_of_all(exchange, forgery):
                assert_refused(answer, what)
                assert len(answer.json()["detail"]) < 200, what
    assert await everything_made(exchange) == before
    assert (await asked_of_all(exchange, good["idToken"]))[0].status_code == 200


async def test_claims_that_do_not_fit_are_refused_and_nothing_comes_of_it(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    before = await everything_made(exchange)
    for what, claims in WRONG_CLAIMS.items():
        for token in issuer.tokens("ann@example.com", **claims).values():
            for answer in await asked_of_all(exchange, token):
                assert_refused(answer, what)
    assert await everything_made(exchange) == before
    # The same for somebody who has an account: his old tokens are no better.
    assert (await asked_of_all(exchange, issuer.tokens("ann@example.com")["idToken"]))[0].is_success
    before = await everything_made(exchange)
    for what, claims in WRONG_CLAIMS.items():
        for token in issuer.tokens("ann@example.com", **claims).values():
            for answer in await asked_of_all(exchange, token):
                assert_refused(answer, what)
    assert await everything_made(exchange) == before


async def test_clocks_may_differ_by_half_a_minute(exchange: Exchange, issuer: MoodyIssuer) -> None:
    for claims in (
        {"exp": int(time.time()) - 15, "iat": int(time.time()) - 100},
        {"nbf": int(time.time()) + 15, "iat": int(time.time()) + 15},
        {"aud": [AUDIENCE]},
    ):
        token = issuer.tokens("ann@example.com", **claims)["idToken"]
        assert [a.status_code for a in await asked_of_all(exchange, token)] == [200, 200]


async def test_an_outside_token_and_a_session_token_are_never_taken_for_each_other(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    person = await exchange.signed_in()
    asked = issuer.asked
    for token in (f"{person.token}.{person.token}.{person.token}", f".{person.token}", f"{person.token}."):
        for answer in await asked_of_all(exchange, token):
            assert_refused(answer, token)
    assert (await asked_of_all(exchange, person.token))[1].status_code == 200
    assert issuer.asked == asked, "no key is looked for before the token names one"


async def test_refused_tokens_count_as_tries_and_keep_nobody_out_who_is_in(
    resources: Resources, exchange: Exchange, issuer: MoodyIssuer
) -> None:
    strict = resources.settings.model_copy(update={"rate_limits": True})
    limited = UserService(replace(resources, settings=strict))
    await exchange.running.start(limited)
    transport = httpx.ASGITransport(create_app(limited), client=("10.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
        good = bearer(issuer.tokens("ann@example.com")["idToken"])
        assert (await client.get("/v1/me", headers=good)).status_code == 200
        for _ in range(59):
            assert_problem(await client.get("/v1/me", headers=bearer("a.b.c")), 401)
        assert_problem(await client.get("/v1/me", headers=bearer("a.b.c")), 429)
        new = bearer(issuer.tokens("bob@example.com")["idToken"])
        assert_problem(await client.get("/v1/me", headers=new), 429)
        assert (await client.get("/v1/me", headers=good)).status_code == 200
    assert await resources.database.fetchval("SELECT count(*) FROM users") == 1


# -- keys -------------------------------------------------------------------------------------


async def status_of_all(exchange: Exchange, token: str) -> set[int]:
    return {answer.status_code for answer in await asked_of_all(exchange, token)}


async def test_a_new_key_of_the_issuer_is_found_and_the_old_one_forgotten(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    for _ in range(3):
        old = issuer.tokens("ann@example.com")["idToken"]
        # A replica that has just read the keys pauses before it reads them again.
        await until_all_answer(exchange, old, 200)
        issuer.rotate()
        await until_all_answer(exchange, issuer.tokens("ann@example.com")["idToken"], 200)
        assert await status_of_all(exchange, old) == {401}


async def until_all_answer(exchange: Exchange, token: str, status: int) -> None:
    async with asyncio.timeout(20):
        while await status_of_all(exchange, token) != {status}:
            await asyncio.sleep(0.02)


async def test_the_last_keys_serve_on_while_the_issuer_is_away_but_not_for_ever(
    exchange: Exchange, issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.tokens("ann@example.com")["idToken"]
    await until_all_answer(exchange, token, 200)
    issuer.mood = "status 500"
    unknown = forged(issuer, token)["unknown kid"]
    await until_all_answer(exchange, unknown, 503)
    assert await status_of_all(exchange, token) == {200}
    monkeypatch.setattr(issuer_keys, "STALE_S", 0.0)
    before = await everything_made(exchange)
    for answer in await asked_of_all(exchange, token):
        assert_problem(answer, 503)
        assert answer.json()["type"] == "urn:exchange:problem:unavailable"
        assert answer.headers["retry-after"]
    # Our own sessions need no issuer, and the service is as ready as before.
    person = await exchange.signed_in()
    assert await status_of_all(exchange, person.token) == {200}
    assert (await exchange.client.get("/readyz")).status_code == 200
    assert (await everything_made(exchange))["identities"] == before["identities"]
    monkeypatch.undo()
    issuer.mood = ""
    await until_all_answer(exchange, token, 200)


async def test_unknown_keys_do_not_make_us_ask_the_issuer_all_the_time(
    exchange: Exchange, issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys_are_read(exchange)
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 60.0)
    before = issuer.asked
    unknown = forged(issuer, issuer.tokens("ann@example.com")["idToken"])["unknown kid"]
    for _ in range(30):
        for answer in await asked_of_all(exchange, unknown):
            assert_refused(answer, "unknown kid")
    assert issuer.asked - before <= 2 * len(exchange.replicas)


@pytest.mark.parametrize("mood", MOODS)
async def test_without_keys_a_token_is_neither_believed_nor_refused(
    monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setattr(issuer_keys, "DEADLINE_S", 0.5)
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 0.05)
    async with running(mood) as issuer:
        keys = IssuerKeys(issuer.url, parse_issuers(issuer.url)[issuer.url])
        reading = asyncio.create_task(keys.run())
        try:
            for name in (str(issuer.key.kid), "a"):
                with pytest.raises(KeysUnavailableError):
                    await keys.key(name)
            assert not reading.done()
            issuer.mood = ""
            async with asyncio.timeout(20):
                while not await is_known(keys, issuer):
                    await asyncio.sleep(0.02)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def is_known(keys: IssuerKeys, issuer: MoodyIssuer) -> bool:
    try:
        return await keys.key(str(issuer.key.kid)) is not None
    except KeysUnavailableError:
        return False


async def test_a_service_whose_issuer_is_away_from_the_start_makes_nothing(
    resources: Resources, exchange: Exchange, issuer: MoodyIssuer
) -> None:
    token = issuer.tokens("ann@example.com")["idToken"]
    issuer.mood = "huge"
    service = UserService(resources)
    await exchange.running.start(service)
    before = await everything_made(exchange)
    transport = httpx.ASGITransport(create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
        assert_problem(await client.get("/v1/me", headers=bearer(token)), 503)
    assert await everything_made(exchange) == before


# -- settings ---------------------------------------------------------------------------------


def test_issuers_are_read_with_the_address_of_their_keys() -> None:
    text = "https://a.example.com/pool, https://b.example.com/=https://keys.example.com/b.json,"
    assert parse_issuers(text) == {
        "https://a.example.com/pool": "https://a.example.com/pool/.well-known/jwks.json",
        "https://b.example.com/": "https://keys.example.com/b.json",
    }
    assert parse_issuers("") == {}
    assert list(parse_issuers("http://localhost:1,http://[::1]:2")) == [
        "http://localhost:1",
        "http://[::1]:2",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "http://issuer.example.com",
        "https://a.example.com=http://a.example.com/keys",
        "https://user:password@a.example.com",
        "https://a.example.com/?x",
        "https://a.example.com/#x",
        "ftp://127.0.0.1",
        "a.example.com",
        "https://",
        "https://a.example.com:99999",
        "http://127.0.0.1.example.com",
        "https://[a",
        "https://a.example.com/|b",
    ],
)
def test_an_issuer_that_could_be_anybody_is_no_setting(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_issuers(text)


async def test_issuers_without_an_audience_are_refused(resources: Resources) -> None:
    settings = resources.settings.model_copy(update={"identity_audience": " , "})
    with pytest.raises(SettingsError, match="EXCHANGE_IDENTITY_AUDIENCE"):
        UserService(replace(resources, settings=settings))
