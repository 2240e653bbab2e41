"""The function for statements: events as API Gateway's HTTP APIs send them, on a real database."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.migrations.rights import apply_rights, user_of
from services.user.aws_lambda import main as function
from services.user.tables.readers import login_hash_of
from tests.integration.user.conftest import Exchange, Person
from tests.integration.user.test_papers import traded

pytestmark = pytest.mark.integration
ISSUER, SUBJECT, LOGIN = (
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test",
    "sub-1",
    "login-1",
)
PREFIX = f"function_{os.getpid()}_"


def this_month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def event(month: str, form: str | None = None, **claims: str) -> dict[str, Any]:
    """Payload format 2.0: docs.aws.amazon.com, "Create AWS Lambda proxy integrations for HTTP APIs"."""
    told = {"iss": ISSUER, "sub": SUBJECT, "origin_jti": LOGIN, "jti": "token-1", "token_use": "access"}
    return {
        "version": "2.0",
        "routeKey": "GET /v1/statements/{month}",
        "rawPath": f"/v1/statements/{month}",
        "pathParameters": {"month": month},
        **({"queryStringParameters": {"format": form}} if form else {}),
        "requestContext": {"authorizer": {"jwt": {"claims": {**told, **claims}, "scopes": None}}},
    }


async def call(given: dict[str, Any]) -> dict[str, Any]:
    """As AWS calls it: synchronously, in a process where no event loop runs."""
    return await asyncio.to_thread(function.statement, given, None)


@pytest.fixture
async def owner(
    exchange: Exchange, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The function is the user `statements` of the database, and sees what that may see."""
    connection = await asyncpg.connect(database_dsn)
    users = await apply_rights(connection, PREFIX)
    user = user_of("statements", PREFIX)
    await connection.execute(f"ALTER ROLE {user} PASSWORD 'drawn'")
    parts = urlsplit(database_dsn)
    own = urlunsplit(parts._replace(netloc=f"{user}:drawn@{parts.netloc.rpartition('@')[2]}"))
    monkeypatch.setenv("EXCHANGE_DATABASE_READER_DSN", own)
    yield connection
    for each in users:
        await connection.execute(f"DROP OWNED BY {each}; DROP ROLE {each}")
    await connection.close()


async def link(owner: "asyncpg.Connection[asyncpg.Record]", person: Person) -> None:
    await owner.execute(
        "INSERT INTO identities (issuer, subject, user_id, email, created_ms) "
        "VALUES ($1, $2, $3, 'a@b.c', 1)",
        *(ISSUER, SUBJECT, person.user_id),
    )


async def test_it_answers_what_the_user_service_answers(
    exchange: Exchange, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    buyer, _ = await traded(exchange)
    await link(owner, buyer)
    month = this_month()
    for form in ("json", "csv", "pdf"):
        path = f"/v1/statements/{month}?format={form}"
        theirs = await exchange.client.get(path, headers=buyer.headers)
        ours = await call(event(month, form))
        assert ours["statusCode"] == theirs.status_code == 200
        body = base64.b64decode(ours["body"]) if ours["isBase64Encoded"] else ours["body"].encode()
        assert body == theirs.content
        assert ours["isBase64Encoded"] is (form == "pdf")
        for name in ("Content-Type", "Content-Disposition"):
            assert ours["headers"].get(name) == theirs.headers.get(name)
        position_ms = await owner.fetchval("SELECT updated_ms FROM positions")
        assert ours["headers"]["Exchange-As-Of"] == str(position_ms)
    assert json.loads((await call(event(month)))["body"])["lines"], "JSON is what is given without a format"


async def test_whose_token_it_is_and_whether_its_log_in_was_ended(
    exchange: Exchange, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    buyer, seller = await traded(exchange)
    month = this_month()
    unknown = await call(event(month))
    assert (unknown["statusCode"], json.loads(unknown["body"])["type"]) == (
        401,
        "urn:exchange:problem:token-refused",
    )
    await link(owner, buyer)
    mine = json.loads((await call(event(month)))["body"])
    theirs = await exchange.client.get(f"/v1/statements/{month}", headers=seller.headers)
    assert mine != theirs.json()
    assert (await call(event(month, sub="somebody-else")))["statusCode"] == 401
    await owner.execute(
        "INSERT INTO outside_logins (login_hash, user_id, begun_ms, forget_ms, ended_ms) "
        "VALUES ($1, $2, 1, 9, 2)",
        *(bytes.fromhex(login_hash_of(ISSUER, SUBJECT, LOGIN)), buyer.user_id),
    )
    assert (await call(event(month)))["statusCode"] == 401
    assert (await call(event(month, origin_jti="another log-in")))["statusCode"] == 200


@pytest.mark.parametrize(
    ("month", "form"), [("2026-13", None), ("", None), ("2026-1", None), ("2026-01", "xml")]
)
async def test_what_is_no_month_or_no_format_is_not_looked_for(month: str, form: str | None) -> None:
    """No database is named here, so that asking one would fail."""
    assert (await call(event(month, form)))["statusCode"] == 422


async def test_without_the_database_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_DATABASE_READER_DSN", "postgresql://nobody@127.0.0.1:9/none?sslmode=disable")
    monkeypatch.setenv("EXCHANGE_DATABASE_DEADLINE_MS", "500")
    answer = await call(event("2026-01"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["Content-Type"] == "application/problem+json"
