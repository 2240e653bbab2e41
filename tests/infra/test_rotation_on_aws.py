"""The function that draws credentials, in its four steps against Secrets Manager, emulated over HTTP, and
what the chart asks External Secrets to read of what it leaves there.

The emulator begins no rotation without a function that it can run in a container, so that act is done in its
memory; and a value asked for without a label is not the current one there, so each is asked for by label.
It has no ElastiCache users that can be changed: a small one in memory plays their part.
"""

import importlib.util
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends

from tests.helm.charts import AWS_SHAPES, objects
from tests.infra.test_rotation import ElastiCache

REGION = "eu-central-1"
ROOT = Path(__file__).parents[2]
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Rotation:
    """Secrets Manager, and the function that it calls."""

    def __init__(self, manager: Any, handler: Any, elasticache: ElastiCache) -> None:
        self.manager = manager
        self.elasticache = elasticache
        self._handler = handler

    def new_secret(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """A secret whose first version is current, as after the rotation that follows its making."""
        value = json.dumps({"username": "exchange", "password": "the first one"})
        made = self.manager.create_secret(Name=f"exchange-{uuid.uuid4().hex[:8]}", SecretString=value)
        monkeypatch.setenv("REDIS_USER_ID", "exchange")
        return str(made["ARN"])

    def begin(self, secret: str) -> str:
        """What Secrets Manager does before the first step: a version without a value, labelled AWSPENDING."""
        version = str(uuid.uuid4())
        begun = {"createdate": int(time.time()), "version_id": version, "version_stages": ["AWSPENDING"]}
        secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets[secret].versions[version] = begun
        return version

    def step(self, secret: str, version: str, step: str) -> None:
        event = {"Step": step, "SecretId": secret, "ClientRequestToken": version}
        self._handler.rotate(event, None)

    def rotate(self, secret: str, version: str) -> None:
        for step in STEPS:
            self.step(secret, version, step)

    def value(self, secret: str, **of: str) -> dict[str, str]:
        of = of or {"VersionStage": "AWSCURRENT"}
        return dict(json.loads(self.manager.get_secret_value(SecretId=secret, **of)["SecretString"]))

    def everything(self, secret: str) -> dict[str, Any]:
        """Each version that has a label: its labels, and its value where it has one."""
        stages = self.manager.describe_secret(SecretId=secret)["VersionIdsToStages"]
        found = {}
        for version, labels in stages.items():
            try:
                value = self.value(secret, VersionId=version)
            except self.manager.exceptions.ResourceNotFoundException:
                value = {}
            found[version] = (sorted(labels), value)
        return found


@pytest.fixture
def rotation(s3_endpoint: str, aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rotation]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    path = ROOT / "infra" / "functions" / "rotation" / "handler.py"
    specification = importlib.util.spec_from_file_location("rotation_handler_on_aws", path)
    assert specification is not None
    assert specification.loader is not None
    handler = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(handler)
    manager, elasticache = boto3.client("secretsmanager", endpoint_url=s3_endpoint), ElastiCache()
    clients = {"secretsmanager": manager, "elasticache": elasticache}
    monkeypatch.setattr(handler, "boto3", type("boto3", (), {"client": staticmethod(clients.__getitem__)}))
    yield Rotation(manager, handler, elasticache)
    manager.close()


def test_after_a_rotation_the_old_value_is_the_previous_and_the_new_one_the_current(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = rotation.new_secret(monkeypatch)
    passwords = ["the first one"]
    for _ in range(2):
        version = rotation.begin(secret)
        assert rotation.value(secret)["password"] == passwords[-1], "nothing changes before the last step"
        rotation.rotate(secret, version)
        current, previous = (
            rotation.value(secret, VersionStage=stage) for stage in ("AWSCURRENT", "AWSPREVIOUS")
        )
        assert previous == {"username": "exchange", "password": passwords[-1]}
        assert set(current) == {"username", "password"}
        assert current["username"] == "exchange"
        assert len(current["password"]) == 64
        assert current["password"].isalnum()
        assert current["password"] not in passwords
        passwords.append(current["password"])
        assert rotation.value(secret, VersionId=version) == current
        # Redis takes both while pods still have the old one.
        assert rotation.elasticache.passwords == passwords[:-3:-1]


def test_a_repeated_step_changes_nothing(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = rotation.new_secret(monkeypatch)
    version = rotation.begin(secret)
    for step in STEPS:
        rotation.step(secret, version, step)
        after, redis = rotation.everything(secret), list(rotation.elasticache.passwords)
        for repeated in STEPS[: STEPS.index(step) + 1]:
            rotation.step(secret, version, repeated)
            assert rotation.everything(secret) == after, f"{repeated} after {step}"
            assert rotation.elasticache.passwords == redis, f"{repeated} after {step}"


def test_a_rotation_that_stops_half_way_leaves_the_old_value_current(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = rotation.new_secret(monkeypatch)
    version = rotation.begin(secret)
    rotation.elasticache.status = "modifying"
    with pytest.raises(RuntimeError, match="modifying"):
        rotation.rotate(secret, version)
    assert rotation.value(secret)["password"] == "the first one"
    assert "the first one" in rotation.elasticache.passwords
    rotation.elasticache.status = "active"
    rotation.rotate(secret, version)
    assert rotation.value(secret, VersionStage="AWSPREVIOUS")["password"] == "the first one"


def test_a_version_that_nobody_began_is_refused(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = rotation.new_secret(monkeypatch)
    before = rotation.everything(secret)
    for step in STEPS:
        with pytest.raises(ValueError, match="no version"):
            rotation.step(secret, str(uuid.uuid4()), step)
    assert rotation.everything(secret) == before


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_external_secrets_asks_for_properties_that_the_function_writes(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """Redis by our function; the database's secret is drawn by RDS, with the same two names."""
    asked: dict[str, dict[str, str]] = {}
    for found in objects(shape, "ExternalSecret").values():
        for entry in found["spec"]["data"]:
            remote = entry["remoteRef"]
            assert "version" not in remote, "what is current, never a version by name"
            asked.setdefault(remote["key"], {})[entry["secretKey"]] = remote["property"]
    assert {"exchange/redis", "exchange/database"} <= set(asked)
    for key, properties in asked.items():
        secret = rotation.new_secret(monkeypatch)
        rotation.rotate(secret, rotation.begin(secret))
        written = rotation.value(secret)
        assert set(properties.values()) <= set(written), key
        assert written[properties.get("password", properties.get("token", ""))] == written["password"]
