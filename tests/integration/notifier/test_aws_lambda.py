"""Promises of the functions that AWS runs, called with events of the shapes that AWS documents."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from services.notifier import aws_lambda
from services.notifier.notices import Notice, login_notice
from tests.integration.notifier.conftest import Estate, arrived

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
ROUTE = "arn:aws:execute-api:eu-central-1:111122223333:abcdefghij/live/$connect"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As after a cold start."""
    yield
    for kept in (aws_lambda._topic, aws_lambda._connections, aws_lambda._tokens):
        kept.cache_clear()


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
    source = (ROOT / "services" / "notifier" / "aws_lambda.py").read_text("utf-8")
    asked = set(re.findall(r'os\.environ\["(\w+)"\]', source))
    folder = ROOT / "infra" / "terraform" / "modules" / "messaging"
    given = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    assert asked == {"NOTICES_TOPIC_ARN", "CONNECTIONS_TABLE", "JWT_ISSUER"}
    for name in asked:
        assert re.search(rf"environment\s*= \{{.*\b{name}\b", given), name


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


class Issuer:
    """Whoever signs tokens: its keys are fetched over HTTP."""

    def __init__(self) -> None:
        self.key = generate_private_key(65_537, 2_048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        body = json.dumps({"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path == "/pool/.well-known/jwks.json"
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/pool"

    def token(self, key: RSAPrivateKey | None = None, **claims: object) -> str:
        now_s = int(time.time())
        base = {"iss": self.url, "exp": now_s + 900, "iat": now_s, "aud": "web", "exchange_user_id": "1001"}
        said = {name: value for name, value in (base | claims).items() if value is not None}
        return jwt.encode(said, key or self.key, algorithm="RS256", headers={"kid": "one"})


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    made = Issuer()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    monkeypatch.setenv("JWT_ISSUER", made.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def asks(token: str | None) -> dict[str, Any]:
    """What API Gateway hands to the authorizer of a WebSocket API."""
    return {
        "type": "REQUEST",
        "methodArn": ROUTE,
        "headers": {"Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com"},
        "queryStringParameters": None if token is None else {"token": token},
        "requestContext": {"routeKey": "$connect", "eventType": "CONNECT", "connectionId": "LvqPQf1ZFiA="},
    }


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == ROUTE
    return str(statement["Effect"])


def test_a_token_lets_its_user_in_and_his_connection_is_remembered_and_forgotten(
    estate: Estate, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS_TABLE", estate.connections_table)
    allowed = aws_lambda.connections(asks(issuer.token()), None)
    assert effect(allowed) == "Allow"
    context: dict[str, Any] = {"connectionId": "LvqPQf1ZFiA=", "routeKey": "$connect"}
    context["authorizer"] = allowed["context"] | {"principalId": allowed["principalId"]}
    assert aws_lambda.connections({"requestContext": context}, None) == {"statusCode": 200}
    dynamo = boto3.client("dynamodb")
    key = {"connection_id": {"S": "LvqPQf1ZFiA="}}
    row = dynamo.get_item(TableName=estate.connections_table, Key=key)["Item"]
    assert row["user_id"] == {"S": "1001"}
    assert int(row["expires_at_s"]["N"]) > 1_700_000_000
    left = {"connectionId": "LvqPQf1ZFiA=", "routeKey": "$disconnect", "eventType": "DISCONNECT"}
    assert aws_lambda.connections({"requestContext": left}, None) == {"statusCode": 200}
    assert "Item" not in dynamo.get_item(TableName=estate.connections_table, Key=key)
    other = {"connectionId": "LvqPQf1ZFiA=", "routeKey": "$default"}
    assert aws_lambda.connections({"requestContext": other}, None) == {"statusCode": 400}
    dynamo.close()


def test_a_register_that_is_away_refuses_the_connection(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS_TABLE", "no-such-table")
    context = {"connectionId": "a=", "routeKey": "$connect", "authorizer": {"userId": "1001"}}
    assert aws_lambda.connections({"requestContext": context}, None) == {"statusCode": 500}


def test_no_other_token_lets_anybody_in(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = generate_private_key(65_537, 2_048)
    unsigned = jwt.encode({"iss": issuer.url, "exchange_user_id": "1001"}, "", algorithm="none")
    shared = jwt.encode(
        {"iss": issuer.url, "exp": 2_000_000_000, "exchange_user_id": "1001"},
        "x" * 32,
        algorithm="HS256",
        headers={"kid": "one"},
    )
    refused = [
        None,
        "",
        "x",
        "a.b.c",
        "x" * 100_000,
        unsigned,
        shared,
        issuer.token(stranger),
        issuer.token(iss="https://elsewhere"),
        issuer.token(exp=1_700_000_000),
        issuer.token(exp=None),
        issuer.token(exchange_user_id=None),
        issuer.token(exchange_user_id="0"),
        issuer.token(exchange_user_id="1001 or 1002"),
        issuer.token(exchange_user_id=["1001"]),
    ]
    for token in refused:
        answer = aws_lambda.connections(asks(token), None)
        assert (effect(answer), answer["context"]) == ("Deny", {}), token
    aws_lambda._tokens.cache_clear()
    monkeypatch.setenv("JWT_AUDIENCE", "web")
    assert effect(aws_lambda.connections(asks(issuer.token()), None)) == "Allow"
    assert effect(aws_lambda.connections(asks(issuer.token(aud="other")), None)) == "Deny"
