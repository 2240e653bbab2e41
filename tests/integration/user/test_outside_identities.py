"""Signing in with tokens of outside issuers, over two replicas: whose account opens, and until when."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from exchange.process.config import Settings
from exchange.security.audit_log import verify
from exchange.security.identity import issuer_keys
from tests.integration.user.conftest import PASSWORD, Exchange, assert_problem
from tests.integration.user.issuers import (
    AUDIENCE,
    MoodyIssuer,
    asked_of_all,
    bearer,
    believing,
    everything_made,
    running,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MoodyIssuer]:
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 0.05)
    async with running() as started:
        yield started


@pytest.fixture
async def other_issuer() -> AsyncIterator[MoodyIssuer]:
    async with running() as started:
        yield started


@pytest.fixture
def settings(settings: Settings, issuer: MoodyIssuer, other_issuer: MoodyIssuer) -> Settings:
    return believing(settings, issuer.url, other_issuer.url)


def is_problem(answer: httpx.Response, status: int, kind: str) -> bool:
    assert_problem(answer, status)
    return bool(answer.json()["type"] == f"urn:exchange:problem:{kind}")


async def user_of(exchange: Exchange, token: str) -> int:
    """The account that a token opens on every replica."""
    answers = await asked_of_all(exchange, token)
    assert [answer.status_code for answer in answers] == [200] * len(answers), answers[0].text
    (user_id,) = {answer.json()["userId"] for answer in answers}
    return int(user_id)


async def acts_of(exchange: Exchange, user_id: int) -> list[str]:
    rows = await exchange.resources.database.fetch(
        "SELECT act FROM audit_log WHERE user_id = $1 ORDER BY id", user_id
    )
    return [row["act"] for row in rows]


async def test_the_first_id_token_opens_an_account_and_access_tokens_open_it_again(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    first, later = issuer.tokens("Ann@Example.com"), issuer.tokens("Ann@Example.com")
    user_id = await user_of(exchange, first["idToken"])
    me = await exchange.client.get("/v1/me", headers=bearer(first["idToken"]))
    assert me.json()["email"] == "ann@example.com"
    for token in (first["accessToken"], later["accessToken"], later["idToken"]):
        assert await user_of(exchange, token) == user_id
    assert (await everything_made(exchange))["users"] == 1


async def test_everything_that_a_session_may_an_outside_token_may(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    headers = bearer(issuer.tokens("ann@example.com")["idToken"])
    body = {"asset": "USDT", "amount": "100"}
    assert (await exchange.client.post("/v1/deposits", json=body, headers=headers)).status_code == 201
    key = {"label": "bot", "permissions": ["READ"]}
    assert (await exchange.client.post("/v1/api-keys", json=key, headers=headers)).status_code == 201
    ledger = await exchange.clients[1].get("/v1/ledger", headers=headers)
    assert [entry["kind"] for entry in ledger.json()["entries"]] == ["DEPOSIT"]


async def test_a_sign_in_that_many_replicas_see_at_once_is_one_account_and_one_log_in(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    tokens = issuer.tokens("ann@example.com")
    answers = await asyncio.gather(
        *(
            client.get("/v1/me", headers=bearer(tokens["idToken"]))
            for client in exchange.clients
            for _ in range(6)
        )
    )
    (user_id,) = {answer.json()["userId"] for answer in answers}
    assert await user_of(exchange, tokens["accessToken"]) == user_id
    assert sorted(await acts_of(exchange, user_id)) == ["identity-linked", "log-in", "sign-up"]
    again = issuer.tokens("ann@example.com")
    assert await user_of(exchange, again["idToken"]) == user_id
    assert (await acts_of(exchange, user_id)).count("log-in") == 2
    async with exchange.resources.database.acquire() as connection:
        _, faults = await verify(connection)
    assert faults == []


async def test_an_access_token_of_somebody_who_was_never_here_opens_nothing(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    before = await everything_made(exchange)
    for answer in await asked_of_all(exchange, issuer.tokens("ann@example.com")["accessToken"]):
        assert is_problem(answer, 403, "identity-unknown")
    assert await everything_made(exchange) == before


@pytest.mark.parametrize(
    "claims",
    [
        {"is_verified": False},
        {"email_verified": "false"},
        {"email_verified": "True"},
        {"email_verified": None},
        {"email": "ann@ex\u00e4mple.com"},
        {"email": "no address"},
        {"email": "a" * 300 + "@example.com"},
        {"email": ""},
    ],
)
async def test_an_address_that_nobody_has_verified_opens_nothing(
    exchange: Exchange, issuer: MoodyIssuer, claims: dict[str, object]
) -> None:
    await exchange.signed_in("ann@example.com")
    before = await everything_made(exchange)
    token = issuer.tokens(**{"email": "ann@example.com", **claims})["idToken"]  # type: ignore[arg-type]
    for answer in await asked_of_all(exchange, token):
        assert is_problem(answer, 403, "email-not-accepted")
    assert await everything_made(exchange) == before


async def test_an_account_with_a_password_opens_after_both_were_shown(
    exchange: Exchange, issuer: MoodyIssuer, other_issuer: MoodyIssuer
) -> None:
    person = await exchange.signed_in("ann@example.com")
    tokens = issuer.tokens("ann@example.com")
    before = await everything_made(exchange)
    for answer in await asked_of_all(exchange, tokens["idToken"]):
        assert is_problem(answer, 403, "identity-not-linked")
    # Nothing but what was tried.
    assert await everything_made(exchange) == {**before, "audit_log": before["audit_log"] + 2}
    for _ in range(2):
        body = {"token": tokens["idToken"]}
        linked = await exchange.client.post("/v1/identities", json=body, headers=person.headers)
        assert linked.status_code == 201, linked.text
        assert linked.json()["issuer"] == issuer.url
    for token in (tokens["idToken"], tokens["accessToken"], person.token):
        assert await user_of(exchange, token) == person.user_id
    # The address is proven now: any issuer that has verified it too opens the same account.
    assert await user_of(exchange, other_issuer.tokens("ann@example.com")["idToken"]) == person.user_id
    assert (await everything_made(exchange))["users"] == 1
    login = {"email": "ann@example.com", "password": PASSWORD}
    again = (await exchange.client.post("/v1/sessions", json=login)).json()["accessToken"]
    assert await user_of(exchange, again) == person.user_id


async def test_two_issuers_that_verified_one_address_open_one_account(
    exchange: Exchange, issuer: MoodyIssuer, other_issuer: MoodyIssuer
) -> None:
    user_id = await user_of(exchange, issuer.tokens("ann@example.com")["idToken"])
    # The same subject at another issuer is somebody else, but for the address.
    assert await user_of(exchange, other_issuer.tokens("ann@example.com")["idToken"]) == user_id
    subject = "a-subject"
    first = await user_of(exchange, issuer.tokens("bob@example.com", sub=subject)["idToken"])
    second = await user_of(exchange, other_issuer.tokens("eve@example.com", sub=subject)["idToken"])
    assert len({user_id, first, second}) == 3


async def test_an_identity_is_its_subject_whatever_its_address_becomes(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    user_id = await user_of(exchange, issuer.tokens("ann@example.com", sub="ann")["idToken"])
    await user_of(exchange, issuer.tokens("bob@example.com", sub="bob")["idToken"])
    moved = issuer.tokens("bob@example.com", sub="ann")["idToken"]
    assert await user_of(exchange, moved) == user_id
    unverified = issuer.tokens("new@example.com", sub="ann", is_verified=False)["idToken"]
    assert await user_of(exchange, unverified) == user_id


async def test_an_account_of_an_outside_sign_in_has_no_password_to_guess(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    await user_of(exchange, issuer.tokens("ann@example.com")["idToken"])
    for password in (PASSWORD, "None", "null"):
        login = {"email": "ann@example.com", "password": password}
        assert_problem(await exchange.client.post("/v1/sessions", json=login), 401)
    sign_up = {"email": "ann@example.com", "password": PASSWORD}
    assert_problem(await exchange.client.post("/v1/users", json=sign_up), 409)


@pytest.mark.parametrize(
    ("claims", "status", "kind"),
    [
        ({"email": "mallory@example.com"}, 403, "email-not-accepted"),
        ({"is_verified": False}, 403, "email-not-accepted"),
        ({"aud": "somebody else"}, 401, "token-refused"),
        ({"sub": "bob"}, 409, "identity-taken"),
    ],
)
async def test_a_stolen_session_links_no_identity_of_the_thief(
    exchange: Exchange, issuer: MoodyIssuer, claims: dict[str, object], status: int, kind: str
) -> None:
    victim = await exchange.signed_in("ann@example.com")
    await user_of(exchange, issuer.tokens("bob@example.com", sub="bob")["idToken"])
    before = await everything_made(exchange)
    token = issuer.tokens(**{"email": "ann@example.com", **claims})["idToken"]  # type: ignore[arg-type]
    answer = await exchange.client.post("/v1/identities", json={"token": token}, headers=victim.headers)
    assert is_problem(answer, status, kind)
    assert await everything_made(exchange) == before


class TestWithLinkingByEmail:
    @pytest.fixture
    def settings(self, settings: Settings, issuer: MoodyIssuer) -> Settings:
        return believing(settings, issuer.url, identity_link_by_email=True)

    async def test_the_address_alone_opens_the_account_of_a_password(
        self, exchange: Exchange, issuer: MoodyIssuer
    ) -> None:
        person = await exchange.signed_in("ann@example.com")
        for token in (issuer.tokens("ann@example.com")["idToken"], person.token):
            assert await user_of(exchange, token) == person.user_id
        unverified = issuer.tokens("bob@example.com", is_verified=False)["idToken"]
        assert is_problem((await asked_of_all(exchange, unverified))[0], 403, "email-not-accepted")


# -- the end ----------------------------------------------------------------------------------


async def test_a_log_out_ends_all_tokens_of_the_log_in_on_every_replica(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    login, other = issuer.tokens("ann@example.com"), issuer.tokens("ann@example.com")
    user_id = await user_of(exchange, login["idToken"])
    assert await user_of(exchange, other["idToken"]) == user_id
    headers = bearer(login["accessToken"])
    assert (await exchange.clients[0].delete("/v1/sessions/current", headers=headers)).status_code == 204
    for token in login.values():
        for answer in await asked_of_all(exchange, token):
            assert is_problem(answer, 401, "token-refused")
            assert answer.json()["detail"] == "The token: its log-in was ended here."
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await acts_of(exchange, user_id))[-1] == "log-out"
    assert await user_of(exchange, other["accessToken"]) == user_id


async def test_a_log_out_is_remembered_when_the_cache_is_lost(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    ended, open_still = issuer.tokens("ann@example.com"), issuer.tokens("ann@example.com")
    user_id = await user_of(exchange, ended["idToken"])
    await user_of(exchange, open_still["idToken"])
    await exchange.client.delete("/v1/sessions/current", headers=bearer(ended["idToken"]))
    acts = await acts_of(exchange, user_id)
    await exchange.resources.cache.flushall()
    for answer in await asked_of_all(exchange, ended["idToken"]):
        assert is_problem(answer, 401, "token-refused")
    assert await user_of(exchange, open_still["accessToken"]) == user_id
    assert await acts_of(exchange, user_id) == acts, "no log-in is told twice"


async def test_log_ins_whose_tokens_are_all_old_are_forgotten(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    await user_of(exchange, issuer.tokens("ann@example.com")["idToken"])
    database = exchange.resources.database
    forget_ms = await database.fetchval("SELECT forget_ms FROM outside_logins")
    assert forget_ms > (time.time() + 86_400) * 1000
    await database.execute("UPDATE outside_logins SET forget_ms = 0")
    await user_of(exchange, issuer.tokens("bob@example.com")["idToken"])
    assert await database.fetchval("SELECT count(*) FROM outside_logins") == 1


async def test_without_issuers_a_jwt_is_nothing(
    exchange: Exchange, issuer: MoodyIssuer, settings: Settings
) -> None:
    for service in exchange.replicas:
        service.accounts._identities = None
    token = issuer.tokens("ann@example.com")["idToken"]
    for answer in await asked_of_all(exchange, token):
        assert is_problem(answer, 401, "not-signed-in")
    person = await exchange.signed_in()
    body = {"token": token}
    refused = await exchange.client.post("/v1/identities", json=body, headers=person.headers)
    assert is_problem(refused, 401, "token-refused")
    assert AUDIENCE in settings.identity_audience
