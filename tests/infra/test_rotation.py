"""The function that draws credentials: each step, against a small Secrets Manager in memory."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HANDLER = Path(__file__).parents[2] / "infra" / "functions" / "rotation" / "handler.py"
REDIS = "arn:redis"


class NotFoundError(Exception):
    """What Secrets Manager raises."""


class Manager:
    """Secrets Manager's part in a rotation."""

    class exceptions:
        ResourceNotFoundException = NotFoundError

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.stages: dict[str, list[str]] = {"v1": ["AWSPENDING"]}
        self.drawn = 0

    def describe_secret(self, **_: Any) -> dict[str, Any]:
        return {"VersionIdsToStages": self.stages}

    def get_secret_value(
        self, *, VersionStage: str, VersionId: str | None = None, **_: Any
    ) -> dict[str, str]:
        for version, labels in self.stages.items():
            if VersionStage in labels and version in self.values and VersionId in (None, version):
                return {"SecretString": self.values[version]}
        raise NotFoundError

    def get_random_password(self, **arguments: Any) -> dict[str, str]:
        assert arguments["ExcludePunctuation"]
        self.drawn += 1
        return {"RandomPassword": f"drawn-{self.drawn}"}

    def put_secret_value(self, *, ClientRequestToken: str, SecretString: str, **_: Any) -> None:
        self.values[ClientRequestToken] = SecretString

    def update_secret_version_stage(self, *, MoveToVersionId: str, **arguments: Any) -> None:
        if "RemoveFromVersionId" in arguments:
            self.stages[arguments["RemoveFromVersionId"]] = ["AWSPREVIOUS"]
        self.stages[MoveToVersionId] = ["AWSCURRENT"]


class ElastiCache:
    """The user of Redis, and what it was told."""

    def __init__(self) -> None:
        self.passwords: list[str] = []
        # As Terraform makes the user: switched off.
        self.access = "off -@all"
        self.status = "active"

    def modify_user(self, **arguments: Any) -> None:
        self.passwords = arguments["AuthenticationMode"]["Passwords"]
        self.access = arguments["AccessString"]

    def describe_users(self, **_: Any) -> dict[str, Any]:
        return {"Users": [{"Status": self.status}]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, Manager, ElastiCache]:
    specification = importlib.util.spec_from_file_location("rotation_handler", HANDLER)
    assert specification is not None
    assert specification.loader is not None
    handler = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(handler)
    manager, elasticache = Manager(), ElastiCache()
    clients = {"secretsmanager": manager, "elasticache": elasticache}
    monkeypatch.setattr(handler, "boto3", type("boto3", (), {"client": staticmethod(clients.__getitem__)}))
    monkeypatch.setenv("REDIS_USER_ID", "exchange")
    return handler, manager, elasticache


def run(handler: ModuleType, secret: str, version: str = "v1") -> None:
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        handler.rotate({"Step": step, "SecretId": secret, "ClientRequestToken": version}, None)


def test_the_first_rotation_makes_the_first_password(aws: tuple[ModuleType, Manager, ElastiCache]) -> None:
    handler, manager, elasticache = aws
    run(handler, REDIS)
    assert json.loads(manager.values["v1"]) == {"username": "exchange", "password": "drawn-1"}
    assert manager.stages == {"v1": ["AWSCURRENT"]}
    assert elasticache.passwords == ["drawn-1"]


def test_the_user_is_let_in_together_with_his_first_password_and_may_do_nothing_dangerous(
    aws: tuple[ModuleType, Manager, ElastiCache],
) -> None:
    handler, _, elasticache = aws
    made = (HANDLER.parents[2] / "terraform" / "modules" / "redis" / "main.tf").read_text(encoding="utf-8")
    assert f'= "{elasticache.access}"' in made, "what Terraform makes lets nobody in"
    run(handler, REDIS)
    rights = elasticache.access.split()
    assert rights[0] == "on"
    assert rights.index("-@dangerous") > rights.index("+@all")


def test_redis_knows_the_old_password_beside_the_new_one(
    aws: tuple[ModuleType, Manager, ElastiCache],
) -> None:
    handler, manager, elasticache = aws
    run(handler, REDIS)
    manager.stages["v2"] = ["AWSPENDING"]
    run(handler, REDIS, "v2")
    assert elasticache.passwords == ["drawn-2", "drawn-1"]
    assert manager.stages == {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT"]}


def test_a_repeated_step_draws_nothing_new(aws: tuple[ModuleType, Manager, ElastiCache]) -> None:
    handler, manager, _ = aws
    for _ in range(2):
        handler.rotate({"Step": "createSecret", "SecretId": REDIS, "ClientRequestToken": "v1"}, None)
    assert manager.drawn == 1
    run(handler, REDIS)
    run(handler, REDIS)
    assert manager.drawn == 1


def test_a_user_that_is_still_changing_is_asked_again(
    aws: tuple[ModuleType, Manager, ElastiCache],
) -> None:
    handler, manager, elasticache = aws
    elasticache.status = "modifying"
    with pytest.raises(RuntimeError, match="modifying"):
        run(handler, REDIS)
    assert manager.stages == {"v1": ["AWSPENDING"]}


@pytest.mark.parametrize("event", [{"Step": "createSecret", "ClientRequestToken": "v9"}, {"Step": "nothing"}])
def test_what_is_not_understood_changes_nothing(
    aws: tuple[ModuleType, Manager, ElastiCache], event: dict[str, str]
) -> None:
    handler, manager, _ = aws
    with pytest.raises(ValueError, match=r"no version|unknown step"):
        handler.rotate({"SecretId": REDIS, "ClientRequestToken": "v1", **event}, None)
    assert manager.values == {}
