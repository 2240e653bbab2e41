"""The market's history in a folder, and in an emulator of DynamoDB and Kinesis over HTTP."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from exchange.process.config import Settings

ROOT = Path(__file__).resolve().parents[3]
SHARDS = 4


@pytest.fixture
def aws(s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator, to which boto3 turns from now on; `s3_bucket` has set the credentials."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    return s3_endpoint


def terraform_tables() -> dict[str, tuple[str, str]]:
    """Table -> its keys, as infra/terraform makes them."""
    text = (ROOT / "infra/terraform/modules/market_history/main.tf").read_text("utf-8")
    found = re.findall(r'(\w+)\s+= \{ hash = "(\w+)", range = "(\w+)" \}', text)
    return {name: (partition, order) for name, partition, order in found}


@pytest.fixture
def dynamodb_tables(aws: str) -> Iterator[dict[str, str]]:
    """Fresh tables with the keys that Terraform gives them: candles, trades."""
    client = boto3.client("dynamodb")
    names = {name: f"test-{uuid.uuid4().hex[:8]}-{name}" for name in terraform_tables()}
    for name, (partition, order) in terraform_tables().items():
        client.create_table(
            TableName=names[name],
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": order, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": partition, "AttributeType": "S"},
                {"AttributeName": order, "AttributeType": "N"},
            ],
        )
    yield names
    for name in names.values():
        client.delete_table(TableName=name)
    client.close()


@pytest.fixture
def kinesis_stream(aws: str) -> Iterator[str]:
    """A fresh stream with several shards."""
    client = boto3.client("kinesis")
    name = f"test-{uuid.uuid4().hex[:8]}"
    client.create_stream(StreamName=name, ShardCount=3)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    yield name
    client.delete_stream(StreamName=name)
    client.close()


@pytest.fixture(params=["folder", "aws"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """History and lake in a folder, or in AWS. What is old is kept: the tests' trades are of 2023."""
    kept: dict[str, Any] = {
        "market_history_trades_days": 100_000,
        "market_history_seconds_days": 100_000,
        "market_history_age_ms": 20,
        "market_history_shards": SHARDS,
        # The emulator answers slowly where much is stored or the machine is busy.
        "market_history_deadline_ms": 120_000,
    }
    if request.param == "folder":
        return Settings(market_history=f"folder:{tmp_path}/history", lake=f"folder:{tmp_path}/lake", **kept)
    tables = request.getfixturevalue("dynamodb_tables")
    stream = request.getfixturevalue("kinesis_stream")
    return Settings(
        market_history=f"dynamodb:{tables['candles']},{tables['trades']}", lake=f"kinesis:{stream}", **kept
    )
