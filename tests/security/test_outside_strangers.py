"""Somebody who signed in at an outside issuer is a stranger to everybody else's objects, like all others."""

import io
import time
from collections.abc import AsyncIterator

import pytest

from exchange.process.config import Settings
from tests.integration.user.issuers import MoodyIssuer, believing, forged, running
from tests.security.conftest import Exchange, Trader
from tests.security.test_secrets_stay_secret import assert_absent, written
from tests.security.test_strangers import Matrix, ask_all_of_v1, everything_of, owner_of_everything

__all__ = ["written"]

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def issuer() -> AsyncIterator[MoodyIssuer]:
    async with running() as started:
        yield started


@pytest.fixture
def settings(settings: Settings, issuer: MoodyIssuer) -> Settings:
    return believing(settings, issuer.url)


async def outside_trader(exchange: Exchange, issuer: MoodyIssuer, email: str) -> Trader:
    """Somebody with a token of the issuer, a key and money, and no password."""
    trader = Trader(exchange.client, "", email=email, token=issuer.tokens(email)["idToken"])
    me = await exchange.client.get("/v1/me", headers=trader.headers)
    assert me.status_code == 200, me.text
    trader.user_id = me.json()["userId"]
    key = {"label": "outside", "permissions": ["READ", "TRADE", "WITHDRAW"]}
    made = await trader.post("/v1/api-keys", key)
    trader.api_key, trader.secret = made["apiKey"], made["secretKey"]
    for asset in ("USDT", "BTC"):
        await trader.post("/v1/deposits", {"asset": asset, "amount": "1000"})
    return trader


async def test_no_route_of_v1_gives_a_stranger_from_outside_anything(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    owner = await owner_of_everything(exchange)
    stranger = await outside_trader(exchange, issuer, "stranger@example.com")
    await ask_all_of_v1(Matrix(exchange, owner, stranger, await everything_of(exchange, owner)))


async def test_a_stranger_with_a_token_for_the_owners_address_does_not_get_in(
    exchange: Exchange, issuer: MoodyIssuer
) -> None:
    owner = await owner_of_everything(exchange)
    before = await everything_of(exchange, owner)
    tokens = [
        *issuer.tokens(owner.trader.email).values(),
        *issuer.tokens(owner.trader.email, is_verified=False).values(),
        *issuer.tokens("eve@example.com", sub=str(owner.trader.user_id), is_verified=False).values(),
        *issuer.tokens(owner.trader.email, exp=int(time.time()) - 60).values(),
        *forged(issuer, issuer.tokens(owner.trader.email)["idToken"]).values(),
    ]
    for token in tokens:
        trader = Trader(exchange.client, "", token=token)
        for path in ("/v1/me", "/v1/api-keys", "/v1/ledger", "/v1/withdrawals"):
            answer = await exchange.client.get(path, headers=trader.headers)
            assert answer.status_code in (401, 403, 429), answer.text
            assert not [mark for mark in owner.marks() if mark in answer.text]
    assert await everything_of(exchange, owner) == before


async def test_tokens_of_issuers_are_not_written_down(
    exchange: Exchange, issuer: MoodyIssuer, written: io.StringIO
) -> None:
    good = issuer.tokens("ann@example.com")
    shown = {**good, **forged(issuer, good["idToken"])}
    for token in shown.values():
        await exchange.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    issuer.mood = "nonsense"
    body = {"token": good["idToken"]}
    headers = {"Authorization": f"Bearer {good['idToken']}"}
    await exchange.client.post("/v1/identities", json=body, headers=headers)
    ended = await exchange.client.delete("/v1/sessions/current", headers=headers)
    assert ended.status_code == 204
    signatures = {name: token.split(".")[2] for name, token in good.items()}
    assert_absent(written.getvalue(), {**good, **signatures})
