"""Promises of the functions that AWS runs, called with events of the shapes that AWS documents."""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest

from exchange.process.config import SettingsError
from exchange.security.identity import issuer_keys
from exchange.security.identity.verifier import KeysUnavailableError
from services.notifier.aws_lambda import main as aws_lambda
from services.notifier.notices import Notice
from tests.integration.notifier.conftest import ROUTE, Estate, arrived, asks, connects
from tests.integration.user.issuers import AUDIENCE, MOODS, WRONG_CLAIMS, MoodyIssuer, forged, running
from tests.notices import login_notice

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cold_functions")]

ROOT = Path(__file__).parents[3]


def record(message_id: str, body: str) -> dict[str, Any]:
    """One record of an event from SQS."""
    return {
        "messageId": message_id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:exchange-notices",
        "awsRegion": "eu-central-1",
    }


def test_terraform_names_functions_that_exist() -> None:
    text = (ROOT / "infra" / "terraform" / "modules" / "messaging" / "variables.tf").read_text("utf-8")
    handlers = re.findall(r'= "(services\.[\w.]+)"', text)
    assert len(handlers) == 2
    for handler in handlers:
        module, _, function = handler.rpartition(".")
        assert callable(getattr(import_module(module), function))


def test_functions_read_only_what_terraform_gives_them() -> None:
    source = (ROOT / "services" / "notifier" / "aws_lambda" / "main.py").read_text("utf-8")
    asked = set(re.findall(r'os\.environ\["(\w+)"\]', source))
    folder = ROOT / "infra" / "terraform" / "modules" / "messaging"
    given = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    assert asked == {
        *("NOTICES_TOPIC_ARN", "NOTICES_MAIL_FROM", "CONNECTIONS_TABLE", "JWT_ISSUERS", "JWT_AUDIENCE"),
    }
    for name in asked:
        assert re.search(rf"environment\s*= \{{[^}}]*\b{name}\b", given), name


def test_only_the_bad_message_of_a_batch_is_reported(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTICES_TOPIC_ARN", estate.topic_arn)
    good = [login_notice(number, 1001, 1, "::1") for number in range(9)]
    records = [record(f"id-{n}", notice.encode()) for n, notice in enumerate(good)]
    records.insert(4, record("id-bad", "{not a notice"))
    for _ in range(2):
        answer = aws_lambda.send({"Records": records}, None)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "id-bad"}]}
        reached = [Notice.decode(body["Message"]).notice_id for body in arrived(estate.subscriber_url)]
        assert sorted(reached) == sorted(notice.notice_id for notice in good)
    assert aws_lambda.send({"Records": records[:4]}, None) == {"batchItemFailures": []}


def test_all_are_reported_when_the_topic_refuses(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTICES_TOPIC_ARN", f"{estate.topic_arn}-gone")
    records = [record(f"id-{n}", login_notice(n, 1001, 1, "::1").encode()) for n in range(2)]
    failures = aws_lambda.send({"Records": records}, None)["batchItemFailures"]
    assert failures == [{"itemIdentifier": "id-0"}, {"itemIdentifier": "id-1"}]


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MoodyIssuer]:
    """The issuer that the functions' settings name."""
    async with running() as started:
        monkeypatch.setenv("JWT_ISSUERS", started.url)
        monkeypatch.setenv("JWT_AUDIENCE", f"other-client,{AUDIENCE}")
        yield started


async def effect(token: str | None) -> str:
    """What the authorizer says; a function of AWS has an event loop of its own."""
    answer = await asyncio.to_thread(aws_lambda.connections, asks(token), None)
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == ROUTE
    assert set(answer["context"]) == ({"owner"} if statement["Effect"] == "Allow" else set())
    return str(statement["Effect"])


@pytest.mark.parametrize("kind", ["idToken", "accessToken"])
async def test_a_token_lets_its_owner_in_and_his_connection_is_remembered_and_forgotten(
    kind: str, estate: Estate, issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS_TABLE", estate.connections_table)
    await connects("LvqPQf1ZFiA=", issuer.tokens("ann@example.com", sub="ann|1")[kind])
    dynamo = boto3.client("dynamodb")
    key = {"connection_id": {"S": "LvqPQf1ZFiA="}}
    row = dynamo.get_item(TableName=estate.connections_table, Key=key)["Item"]
    assert row["owner"] == {"S": f"{issuer.url}|ann|1"}
    assert int(row["expires_at_s"]["N"]) > 1_700_000_000
    left = {"connectionId": "LvqPQf1ZFiA=", "routeKey": "$disconnect", "eventType": "DISCONNECT"}
    answer = await asyncio.to_thread(aws_lambda.connections, {"requestContext": left}, None)
    assert answer == {"statusCode": 200}
    assert "Item" not in dynamo.get_item(TableName=estate.connections_table, Key=key)
    dynamo.close()


def test_other_routes_are_not_ours() -> None:
    other = {"connectionId": "LvqPQf1ZFiA=", "routeKey": "$default"}
    assert aws_lambda.connections({"requestContext": other}, None) == {"statusCode": 400}


def test_a_register_that_is_away_refuses_the_connection(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS_TABLE", "no-such-table")
    context = {"connectionId": "a=", "routeKey": "$connect", "authorizer": {"owner": "https://a|b"}}
    assert aws_lambda.connections({"requestContext": context}, None) == {"statusCode": 500}


async def test_no_other_token_lets_anybody_in(issuer: MoodyIssuer) -> None:
    good = issuer.tokens("ann@example.com")
    tokens: dict[str, str | None] = {"none": None, "empty": "", "letters": "x", "parts": "a.b.c"}
    for use, token in good.items():
        tokens |= {f"{use}: {what}": forgery for what, forgery in forged(issuer, token).items()}
    for what, claims in WRONG_CLAIMS.items():
        made = issuer.tokens("ann@example.com", **claims)
        tokens |= {f"{use}: {what}": token for use, token in made.items()}
    async with running() as stranger:
        tokens["issuer that is not believed"] = stranger.tokens("ann@example.com")["idToken"]
        for what, one in tokens.items():
            assert await effect(one) == "Deny", what
        assert stranger.asked == 0
    for token in good.values():
        assert await effect(token) == "Allow"


@pytest.mark.parametrize("audience", ["", " , ", None])
async def test_without_an_audience_nobody_is_let_in(
    audience: str | None, issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JWT_AUDIENCE")
    if audience is not None:
        monkeypatch.setenv("JWT_AUDIENCE", audience)
    for token in issuer.tokens("ann@example.com").values():
        with pytest.raises((SettingsError, KeyError), match="JWT_AUDIENCE"):
            await effect(token)


@pytest.mark.parametrize("mood", MOODS)
async def test_without_keys_a_token_is_neither_believed_nor_refused(
    mood: str, issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "DEADLINE_S", 0.5)
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 0.0)
    issuer.mood = mood
    token = issuer.tokens("ann@example.com")["idToken"]
    with pytest.raises(KeysUnavailableError):
        await effect(token)
    issuer.mood = ""
    monkeypatch.setattr(issuer_keys, "DEADLINE_S", 20.0)
    assert await effect(token) == "Allow"


async def test_keys_are_asked_for_when_they_are_old_or_unknown_and_seldom(
    issuer: MoodyIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = issuer.tokens("ann@example.com")["idToken"]
    unknown = forged(issuer, old)["unknown kid"]
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 600.0)
    assert await effect(old) == "Allow"
    for _ in range(5):
        assert (await effect(old), await effect(unknown)) == ("Allow", "Deny")
    assert issuer.asked == 1
    issuer.rotate()
    new = issuer.tokens("ann@example.com")["idToken"]
    assert await effect(new) == "Deny"
    monkeypatch.setattr(issuer_keys, "PAUSE_S", 0.0)
    assert await effect(new) == "Allow"
    assert await effect(old) == "Deny"
    # The issuer is away: what is known serves on, but not for ever.
    issuer.mood = "status 500"
    monkeypatch.setattr(issuer_keys, "FRESH_S", -1.0)
    before = issuer.asked
    assert await effect(new) == "Allow"
    assert issuer.asked == before + 1
    monkeypatch.setattr(issuer_keys, "STALE_S", -1.0)
    with pytest.raises(KeysUnavailableError):
        await effect(new)
