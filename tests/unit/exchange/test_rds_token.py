"""Tokens for RDS and Aurora: what is signed, and that each connection asks for one."""

from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.adapters.aws import rds_token
from exchange.adapters.postgres import pool
from exchange.process.config import Settings

DSN = "postgresql://exchange_market_data@writer.example.com:6432/exchange?sslmode=verify-full"


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    rds_token._client.cache_clear()
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


async def test_a_token_names_host_port_user_and_region_and_lives_fifteen_minutes() -> None:
    token = await rds_token.rds_token(DSN)
    asked = parse_qs(urlsplit(f"https://{token}").query)
    assert token.startswith("writer.example.com:6432/?")
    assert (asked["Action"], asked["DBUser"]) == (["connect"], ["exchange_market_data"])
    assert asked["X-Amz-Expires"] == ["900"]
    assert asked["X-Amz-Credential"][0].endswith("/eu-central-1/rds-db/aws4_request")


async def test_without_a_region_there_is_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    with pytest.raises(rds_token.TokenError, match="region"):
        await rds_token.rds_token(DSN)


@pytest.mark.parametrize("tokens", [True, False])
async def test_each_connection_has_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch, tokens: bool) -> None:
    told: list[tuple[str, object]] = []

    async def connect(dsn: str, **options: object) -> None:
        told.append((dsn, options.get("password")))

    async def drawn(dsn: str) -> str:
        return f"token {len(told)} for {dsn}"

    monkeypatch.setattr(asyncpg, "connect", connect)
    monkeypatch.setattr(rds_token, "rds_token", drawn)
    settings = Settings(database_dsn=SecretStr(DSN), database_tokens=tokens)
    connecting = pool._connecting(settings, "database_dsn", None)
    await connecting("")
    await connecting("")
    assert told == ([(DSN, f"token {n} for {DSN}") for n in range(2)] if tokens else [(DSN, None)] * 2)
