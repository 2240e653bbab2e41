"""The issuer for laptops as a process of its own: it says how to believe it, and its tokens open accounts."""

import asyncio
import sys
from dataclasses import replace

import httpx
import pytest

from exchange.process.components import Resources
from local.servers import free_port
from services.user.api import create_app
from services.user.component import UserService
from tests.integration.user.conftest import Exchange
from tests.integration.user.issuers import bearer

pytestmark = pytest.mark.integration


async def test_the_issuer_for_laptops_says_how_to_believe_it(
    exchange: Exchange, resources: Resources
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.issuer", "--port", str(free_port())),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        told = dict(word.split("=", 1) for word in line.split())
        issuer = told["EXCHANGE_IDENTITY_ISSUERS"]
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            tokens = await until_it_answers(client, f"{issuer}/tokens?email=ann@example.com")
            assert (await client.post(f"{issuer}/tokens?email=nobody")).status_code == 422
        settings = resources.settings.model_copy(
            update={"identity_issuers": issuer, "identity_audience": told["EXCHANGE_IDENTITY_AUDIENCE"]}
        )
        service = UserService(replace(resources, settings=settings))
        await exchange.running.start(service)
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
            for name in ("idToken", "accessToken"):
                me = await client.get("/v1/me", headers=bearer(tokens[name]))
                assert (me.status_code, me.json()["email"]) == (200, "ann@example.com")
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def until_it_answers(client: httpx.AsyncClient, url: str) -> dict[str, str]:
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await client.post(url)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code == 200, answer.text
            return dict(answer.json())
