"""Draw new passwords for Redis, in the four steps of Secrets Manager's rotation.

Lambda brings boto3; nothing else is needed, so the package is this one file (docs/deploy.md). The first
rotation follows at once when the secret is made: so the first password comes about, unseen by anybody, and
with it the user is switched on.

Redis keeps two passwords at a time: the old one works until every pod has the new one. Kafka has none:
it lets roles in.
"""

import json
import os
from typing import Any, Final

import boto3

_PASSWORD_LENGTH: Final = 64
# What the user of Redis may do. Terraform makes it switched off (infra/terraform/modules/redis): the first
# password and the switch come together, so that there is no moment without a password.
_REDIS_ACCESS: Final = "on ~* &* +@all -@dangerous +info +cluster|slots +cluster|shards +cluster|nodes"


def rotate(event: dict[str, str], context: object) -> None:
    """Carry out `event["Step"]` for `event["SecretId"]` and the version `event["ClientRequestToken"]`."""
    secret, version = event["SecretId"], event["ClientRequestToken"]
    manager = boto3.client("secretsmanager")
    stages = manager.describe_secret(SecretId=secret)["VersionIdsToStages"]
    if version not in stages:
        raise ValueError(f"{version} is no version of {secret}")
    if "AWSCURRENT" in stages[version]:
        return
    match event["Step"]:
        case "createSecret":
            _create(manager, secret, version)
        case "setSecret":
            _set(manager, secret, version)
        case "testSecret":
            _test(manager, secret, version)
        case "finishSecret":
            _finish(manager, secret, version, stages)
        case step:
            raise ValueError(f"unknown step {step}")


def _create(manager: Any, secret: str, version: str) -> None:
    """Draw the password; a repeated call keeps the one that was drawn first."""
    try:
        manager.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
        return
    except manager.exceptions.ResourceNotFoundException:
        pass
    # ExcludePunctuation: the password goes into URLs and into property files.
    drawn = manager.get_random_password(PasswordLength=_PASSWORD_LENGTH, ExcludePunctuation=True)
    value = json.dumps({"username": os.environ["REDIS_USER_ID"], "password": drawn["RandomPassword"]})
    manager.put_secret_value(
        SecretId=secret, ClientRequestToken=version, SecretString=value, VersionStages=["AWSPENDING"]
    )


def _password(manager: Any, secret: str, stage: str) -> str | None:
    try:
        answer = manager.get_secret_value(SecretId=secret, VersionStage=stage)
    except manager.exceptions.ResourceNotFoundException:
        return None
    password = json.loads(answer["SecretString"])["password"]
    assert isinstance(password, str)
    return password


def _set(manager: Any, secret: str, version: str) -> None:
    """Teach Redis the new password beside the old one, and let the user in."""
    passwords = [_password(manager, secret, stage) for stage in ("AWSPENDING", "AWSCURRENT")]
    boto3.client("elasticache").modify_user(
        UserId=os.environ["REDIS_USER_ID"],
        AccessString=_REDIS_ACCESS,
        AuthenticationMode={"Type": "password", "Passwords": [p for p in passwords if p is not None]},
    )


def _test(manager: Any, secret: str, version: str) -> None:
    """The user must be active again: ElastiCache applies a change within seconds."""
    user = boto3.client("elasticache").describe_users(UserId=os.environ["REDIS_USER_ID"])["Users"][0]
    if user["Status"] != "active":
        # Secrets Manager repeats the step.
        raise RuntimeError(f"the user is {user['Status']}")


def _finish(manager: Any, secret: str, version: str, stages: dict[str, list[str]]) -> None:
    current = next((name for name, labels in stages.items() if "AWSCURRENT" in labels), None)
    move = {"RemoveFromVersionId": current} if current else {}
    manager.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, **move
    )
