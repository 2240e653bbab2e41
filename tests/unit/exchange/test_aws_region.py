"""Where a client of AWS goes is known from either of the two names that AWS's programs use."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.adapters.aws.calls import AwsCalls
from exchange.adapters.aws.kms import KmsKeyWrapper
from exchange.adapters.aws.msk_token import MskTokenProvider
from exchange.adapters.aws.s3 import S3Store, S3StoreOptions

ROOT = Path(__file__).parents[3]
CLIENTS: dict[str, Callable[[], Any]] = {
    "s3": lambda: S3Store(S3StoreOptions("bucket"))._client,
    "kms": lambda: KmsKeyWrapper("key", 1_000)._connected(),
    **{
        service: AwsCalls(service, deadline_ms=1_000, failure=OSError)._connected
        for service in ("sqs", "sns", "dynamodb", "kinesis", "apigatewaymanagementapi")
    },
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No region, and no file of a user that has one; credentials that open nothing."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize("service", CLIENTS)
def test_every_client_goes_where_either_name_says(
    service: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "eu-west-3")
    client = CLIENTS[service]()
    assert client.meta.region_name == "eu-west-3"
    client.close()


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_a_token_for_brokers_is_signed_for_where_either_name_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "eu-west-3")
    asked: list[str] = []

    def generate(where: str) -> tuple[str, int]:
        asked.append(where)
        return "token", 0

    monkeypatch.setattr("exchange.adapters.aws.msk_token.MSKAuthTokenProvider.generate_auth_token", generate)
    assert await MskTokenProvider().token() == "token"
    assert asked == ["eu-west-3"]


def test_nobody_makes_a_client_in_another_way() -> None:
    """A client made past `connect` would not know the region again."""
    made = {
        path.relative_to(ROOT).as_posix()
        for top in ("exchange", "services", "matching_engine")
        for path in (ROOT / top).rglob("*.py")
        if "boto3" in (source := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in ("client", "resource")
        if isinstance(node.value, ast.Name) and node.value.id == "boto3"
    }
    assert made == {"exchange/adapters/aws/session.py"}
