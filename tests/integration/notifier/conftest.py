"""The notifier over real PostgreSQL, the log in memory, and AWS's parts by an emulator over HTTP."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import msgspec
import pytest
from pydantic import SecretStr

from exchange.adapters.files.key import FileKeyWrapper
from exchange.process.components import Resources
from exchange.process.config import Settings
from services.notifier.aws_lambda import main as aws_lambda
from tests.at_work import PATIENT, open_resources
from tests.event_streams import START_MS

ATTEMPTS_MAX = 3
ROUTE = "arn:aws:execute-api:eu-central-1:111122223333:abcdefghij/live/$connect"


class Estate(NamedTuple):
    """What Terraform would have made: infra/terraform/modules/messaging."""

    endpoint: str
    queue_url: str
    topic_arn: str
    # A queue that has subscribed to the topic.
    subscriber_url: str
    connections_table: str


@pytest.fixture
def estate(s3_endpoint: str, aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    """Names of the test's own, and an environment in which boto3 finds the emulator."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("NOTICES_MAIL_FROM", "")
    monkeypatch.setattr(aws_lambda, "DEADLINE_MS", PATIENT["notices_deadline_ms"])
    name = f"test-{uuid.uuid4().hex[:12]}"
    sqs, sns, dynamo = (boto3.client(service) for service in ("sqs", "sns", "dynamodb"))
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": ATTEMPTS_MAX}
    queue = sqs.create_queue(
        QueueName=name, Attributes={"RedrivePolicy": msgspec.json.encode(policy).decode()}
    )["QueueUrl"]
    subscriber = sqs.create_queue(QueueName=f"{name}-subscriber")["QueueUrl"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn_of(sqs, subscriber))
    dynamo.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "connection_id", "AttributeType": "S"},
            {"AttributeName": "owner", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    yield Estate(s3_endpoint, queue, topic, subscriber, name)
    for client in (sqs, sns, dynamo):
        client.close()


@pytest.fixture
def cold_functions() -> Iterator[None]:
    """AWS's functions as after a cold start."""
    yield
    for kept in (aws_lambda._topic, aws_lambda._mailer, aws_lambda._connections, aws_lambda._verifier):
        kept.cache_clear()


def asks(token: str | None) -> dict[str, Any]:
    """What API Gateway hands to the authorizer of a WebSocket API."""
    return {
        "type": "REQUEST",
        "methodArn": ROUTE,
        "headers": {"Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com"},
        "queryStringParameters": None if token is None else {"token": token},
        "requestContext": {"routeKey": "$connect", "eventType": "CONNECT", "connectionId": "LvqPQf1ZFiA="},
    }


async def connects(connection_id: str, token: str) -> None:
    """Open a connection as API Gateway does it: it asks the authorizer, then tells of the connection."""
    allowed = await asyncio.to_thread(aws_lambda.connections, asks(token), None)
    assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    context = {
        "connectionId": connection_id,
        "routeKey": "$connect",
        "authorizer": allowed["context"] | {"principalId": allowed["principalId"]},
    }
    answer = await asyncio.to_thread(aws_lambda.connections, {"requestContext": context}, None)
    assert answer == {"statusCode": 200}


def arn_of(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def arrived(url: str) -> list[dict[str, Any]]:
    """What a queue has been given since the last look: the bodies, which SNS writes as JSON."""
    found: list[dict[str, Any]] = []
    sqs = boto3.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found.append(msgspec.json.decode(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.close()
    return found


@pytest.fixture
def settings(database_dsn: str, tmp_path: Path) -> Settings:
    return Settings(
        database_dsn=SecretStr(database_dsn),
        data_dir=tmp_path,
        # One test waits until a statement that hangs is given up.
        **{**PATIENT, "database_deadline_ms": 5_000},
        database_pool_size=4,
    )


@pytest.fixture
async def resources(settings: Settings, tmp_path: Path) -> AsyncIterator[Resources]:
    wrapper = FileKeyWrapper(tmp_path / "secret.key")
    async with open_resources(settings, lambda: START_MS, wrapper) as opened:
        yield opened
