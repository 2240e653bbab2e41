"""Tokens of Cognito, as moto's emulator of it makes them over HTTP, open the accounts that other ways open.

Different from AWS: the emulator signs for every pool with one key named "dummy", and shows it at its own
address, while `iss` is Amazon's: so the settings name the address of the keys. It writes `email_verified` as
text into id tokens, where AWS writes true. SRP, the hosted page and a second factor are not asked here.
"""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import pytest

from exchange.process.config import Settings
from exchange.security.identity.tokens import read
from tests.integration.user.conftest import PASSWORD, Exchange, assert_problem
from tests.integration.user.issuers import (
    AUDIENCE,
    MoodyIssuer,
    asked_of_all,
    bearer,
    everything_made,
    running,
)

pytestmark = pytest.mark.integration

REGION = "eu-central-1"
POOL_PASSWORD = "Correct-horse-7-battery"


@dataclass(frozen=True)
class Pool:
    """A user pool with a client, as `infra/terraform/modules/identity` makes them."""

    cognito: Any
    pool_id: str
    client_id: str
    setting: str

    def sign_up(self, email: str, *, is_verified: bool = True) -> None:
        self.cognito.admin_create_user(
            UserPoolId=self.pool_id,
            Username=email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true" if is_verified else "false"},
            ],
        )
        self.cognito.admin_set_user_password(
            UserPoolId=self.pool_id, Username=email, Password=POOL_PASSWORD, Permanent=True
        )

    def log_in(self, email: str) -> dict[str, str]:
        """AccessToken, IdToken and RefreshToken."""
        answer = self.cognito.admin_initiate_auth(
            UserPoolId=self.pool_id,
            ClientId=self.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": POOL_PASSWORD},
        )
        return dict(answer["AuthenticationResult"])

    def refreshed(self, tokens: dict[str, str]) -> dict[str, str]:
        answer = self.cognito.admin_initiate_auth(
            UserPoolId=self.pool_id,
            ClientId=self.client_id,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]},
        )
        return dict(answer["AuthenticationResult"])


def new_pool(cognito: Any, endpoint: str) -> Pool:
    pool_id = cognito.create_user_pool(
        PoolName=secrets.token_hex(4), UsernameAttributes=["email"], AutoVerifiedAttributes=["email"]
    )["UserPool"]["Id"]
    client_id = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="web",
        GenerateSecret=False,
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ReadAttributes=["email", "email_verified"],
    )["UserPoolClient"]["ClientId"]
    issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool_id}"
    return Pool(cognito, pool_id, client_id, f"{issuer}={endpoint}/{pool_id}/.well-known/jwks.json")


@pytest.fixture
def cognito(s3_endpoint: str, aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client = boto3.client("cognito-idp", endpoint_url=s3_endpoint)
    yield client
    client.close()


@pytest.fixture
def pool(cognito: Any, s3_endpoint: str) -> Pool:
    return new_pool(cognito, s3_endpoint)


@pytest.fixture
async def local_issuer() -> AsyncIterator[MoodyIssuer]:
    async with running() as started:
        yield started


@pytest.fixture
def settings(settings: Settings, pool: Pool, local_issuer: MoodyIssuer) -> Settings:
    return settings.model_copy(
        update={
            "identity_issuers": f"{pool.setting},{local_issuer.url}",
            "identity_audience": f"{pool.client_id},{AUDIENCE}",
        }
    )


async def user_of(exchange: Exchange, token: str) -> int:
    answers = await asked_of_all(exchange, token)
    assert [answer.status_code for answer in answers] == [200] * len(answers), answers[0].text
    (user_id,) = {answer.json()["userId"] for answer in answers}
    return int(user_id)


async def test_the_emulator_shows_its_keys_where_the_settings_say(pool: Pool) -> None:
    issuer, _, url = pool.setting.partition("=")
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = (await client.get(url)).json()["keys"]
    pool.sign_up("ann@example.com")
    for token, use in zip(("IdToken", "AccessToken"), ("id", "access"), strict=True):
        seen = read(pool.log_in("ann@example.com")[token])
        assert (seen.claims.iss, seen.claims.token_use) == (issuer, use)
        assert seen.key_id in {key["kid"] for key in keys}


async def test_a_token_of_cognito_one_of_the_local_issuer_and_a_session_open_one_account(
    exchange: Exchange, pool: Pool, local_issuer: MoodyIssuer
) -> None:
    person = await exchange.signed_in("ann@example.com")
    pool.sign_up("ann@example.com")
    tokens = pool.log_in("ann@example.com")
    assert_problem((await asked_of_all(exchange, tokens["IdToken"]))[0], 403)
    body = {"token": tokens["IdToken"]}
    linked = await exchange.client.post("/v1/identities", json=body, headers=person.headers)
    assert linked.status_code == 201, linked.text
    local = local_issuer.tokens("ann@example.com")
    for token in (
        tokens["IdToken"],
        tokens["AccessToken"],
        local["idToken"],
        local["accessToken"],
        person.token,
    ):
        assert await user_of(exchange, token) == person.user_id


async def test_somebody_who_is_new_here_is_let_in_by_either_issuer_to_the_same_account(
    exchange: Exchange, pool: Pool, local_issuer: MoodyIssuer
) -> None:
    pool.sign_up("bob@example.com")
    by_cognito = await user_of(exchange, pool.log_in("bob@example.com")["IdToken"])
    assert await user_of(exchange, local_issuer.tokens("bob@example.com")["idToken"]) == by_cognito
    pool.sign_up("eve@example.com")
    by_local = await user_of(exchange, local_issuer.tokens("eve@example.com")["idToken"])
    assert await user_of(exchange, pool.log_in("eve@example.com")["IdToken"]) == by_local != by_cognito


async def test_refreshed_tokens_belong_to_the_log_in_and_end_with_it(exchange: Exchange, pool: Pool) -> None:
    pool.sign_up("ann@example.com")
    tokens = pool.log_in("ann@example.com")
    user_id = await user_of(exchange, tokens["IdToken"])
    refreshed = pool.refreshed(tokens)
    assert await user_of(exchange, refreshed["AccessToken"]) == user_id
    counted = "SELECT count(*) FROM audit_log WHERE act = 'log-in'"
    assert await exchange.resources.database.fetchval(counted) == 1
    ended = await exchange.client.delete("/v1/sessions/current", headers=bearer(refreshed["AccessToken"]))
    assert ended.status_code == 204
    for token in (tokens["IdToken"], refreshed["AccessToken"], pool.refreshed(tokens)["AccessToken"]):
        for answer in await asked_of_all(exchange, token):
            assert_problem(answer, 401)
    assert await user_of(exchange, pool.log_in("ann@example.com")["AccessToken"]) == user_id


async def test_unverified_addresses_other_clients_and_other_pools_open_nothing(
    exchange: Exchange, pool: Pool, cognito: Any, s3_endpoint: str
) -> None:
    pool.sign_up("ann@example.com", is_verified=False)
    # Signed with the very same key by the emulator: only issuer and audience tell them apart.
    other_pool = new_pool(cognito, s3_endpoint)
    other_pool.sign_up("ann@example.com")
    other_client = cognito.create_user_pool_client(
        UserPoolId=pool.pool_id,
        ClientName="other",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
        ReadAttributes=["email", "email_verified"],
    )["UserPoolClient"]["ClientId"]
    pool.sign_up("bob@example.com")
    before = await everything_made(exchange)
    for answer in await asked_of_all(exchange, pool.log_in("ann@example.com")["IdToken"]):
        assert_problem(answer, 403)
    stranger = Pool(cognito, pool.pool_id, other_client, "")
    for tokens in (other_pool.log_in("ann@example.com"), stranger.log_in("bob@example.com")):
        for name in ("IdToken", "AccessToken"):
            for answer in await asked_of_all(exchange, tokens[name]):
                assert_problem(answer, 401)
                assert answer.json()["type"] == "urn:exchange:problem:token-refused"
    assert await everything_made(exchange) == before
    login = {"email": "bob@example.com", "password": PASSWORD}
    assert_problem(await exchange.client.post("/v1/sessions", json=login), 401)
