"""The command `aws`, as far as docs/deploy.md types it, against an emulator of AWS.

Flags become parameters by botocore's models, as the real client does it: words, JSON, and the short form
`Key=value,Key=value`. What the emulator does not know is answered from a list, after the same check.
"""

import datetime
import fnmatch
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

__all__ = ["Aws", "AwsError"]

_SERVICES = {"s3api": "s3"}
# Done by the client itself, or by nobody but AWS.
_NOTHING = {("eks", "update-kubeconfig"), ("ecr", "get-login-password")}
_SAID: dict[tuple[str, str], dict[str, Any]] = {
    ("sesv2", "put-account-details"): {},
    ("eks", "list-nodegroups"): {"nodegroups": ["base-0-1", "engine-0-1"]},
    ("eks", "update-nodegroup-version"): {},
    ("grafana", "list-workspaces"): {"workspaces": [{"id": "g-1", "name": "exchange-production"}]},
    ("grafana", "create-workspace-service-account"): {"id": "7"},
    ("grafana", "create-workspace-service-account-token"): {"serviceAccountToken": {"key": "glsa_1"}},
    ("grafana", "describe-workspace"): {"workspace": {"endpoint": "g-1.grafana-workspace.amazonaws.com"}},
    ("codeconnections", "create-connection"): {"ConnectionArn": "arn:aws:codeconnections:x:1:connection/1"},
    ("codebuild", "start-build"): {},
    ("elbv2", "describe-load-balancers"): {"LoadBalancers": [{"LoadBalancerArn": "arn:aws:elb:x:1:app/e/1"}]},
    ("rds", "failover-global-cluster"): {},
    ("secretsmanager", "rotate-secret"): {},
}


class AwsError(Exception):
    """The command would have failed; the message says how."""


class Aws:
    """One account in an emulator at `endpoint`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def client(self, service: str, region: str) -> Any:
        """Made once for each service and region: that reads the whole model of the service."""
        with self._making:
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.client(
                    service, region_name=region, endpoint_url=self._endpoint,
                    aws_access_key_id="t", aws_secret_access_key="t",
                )  # fmt: skip
            return self._clients[service, region]

    def close(self) -> None:
        """Let go of its connections."""
        for client in self._clients.values():
            client.close()

    def run(self, words: list[str], region: str, folder: Path, piped: Callable[[], bytes]) -> str:
        """What the command prints. Raises AwsError."""
        service, operation, *rest = words
        positional, flags = _split(rest)
        region = "".join(flags.pop("--region", [region]))
        if not region:
            raise AwsError("You must specify a region.")
        if operation == "wait" or (service, operation) in _NOTHING:
            return "a password"
        if service == "s3":
            return self._s3(operation, positional, flags, region, folder, piped)
        query, output = flags.pop("--query", None), flags.pop("--output", ["json"])
        flags.pop("--max-items", None)
        try:
            answer = self._call(service, operation, flags, region)
        except (ClientError, ParamValidationError) as error:
            raise AwsError(str(error)) from error
        found = jmespath.search(query[0], answer) if query else answer
        return _text(found) if output == ["text"] else json.dumps(found, default=str, indent=4)

    def _call(self, service: str, operation: str, flags: dict[str, list[str]], region: str) -> Any:
        client = self.client(_SERVICES.get(service, service), region)
        model = client.meta.service_model
        name = next(name for name in model.operation_names if xform_name(name, "-") == operation)
        shape = model.operation_model(name).input_shape
        parameters = dict(_parameters(shape, flags))
        if (service, operation) in _SAID:
            report = ParamValidator().validate(parameters, shape)
            if report.has_errors():
                raise AwsError(report.generate_report())
            return _SAID[service, operation]
        if parameters.get("RotateMasterUserPassword"):
            # The emulator knows no password that a cluster keeps itself.
            return {}
        if operation == "restore-db-cluster-to-point-in-time":
            # The emulator has no past: a new one.
            return client.create_db_cluster(
                DBClusterIdentifier=parameters["DBClusterIdentifier"], Engine="aurora-postgresql",
                MasterUsername="exchange", MasterUserPassword="drawn-by-nobody",
            )  # fmt: skip
        answer = getattr(client, xform_name(name))(**parameters)
        answer.pop("ResponseMetadata", None)
        if operation == "describe-db-clusters":
            for cluster in answer["DBClusters"]:
                cluster["LatestRestorableTime"] = "2026-11-30T04:00:00+00:00"
                cluster["VpcSecurityGroups"] = [{"VpcSecurityGroupId": "sg-1"}]
        return answer

    def _s3(
        self, operation: str, names: list[str], flags: dict[str, list[str]], region: str, folder: Path,
        piped: Callable[[], bytes],
    ) -> str:  # fmt: skip
        client = self.client("s3", region)
        match operation:
            case "mb":
                client.create_bucket(
                    Bucket=_place(names[0])[0], CreateBucketConfiguration={"LocationConstraint": region}
                )
            case "rb":
                client.delete_bucket(Bucket=_place(names[0])[0])
            case "ls":
                bucket, prefix = _place(names[0])
                found = client.list_objects_v2(Bucket=bucket, Prefix=prefix)
                return "".join(f"{each['Key']}\n" for each in found.get("Contents", []))
            case "cp":
                content = self._read(client, names[0], folder, piped)
                if names[1] == "-":
                    return content.decode("latin-1")
                self._write(client, names[1], folder, content)
            case "sync":
                for name, content in self._listed(client, names[0], folder):
                    if _chosen(name, flags):
                        self._write(client, f"{names[1]}/{name}", folder, content)
            case _:
                raise AwsError(f"s3 {operation} is not played")
        return ""

    def _read(self, client: Any, name: str, folder: Path, piped: Callable[[], bytes]) -> bytes:
        if name == "-":
            return piped()
        if not name.startswith("s3://"):
            return (folder / name).read_bytes()
        bucket, key = _place(name)
        try:
            content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise AwsError(f"{name}: {error}") from error
        return content

    def _write(self, client: Any, name: str, folder: Path, content: bytes) -> None:
        if name.startswith("s3://"):
            bucket, key = _place(name)
            try:
                client.put_object(Bucket=bucket, Key=key, Body=content)
            except ClientError as error:
                raise AwsError(f"{name}: {error}") from error
            return
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _listed(self, client: Any, name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
        if not name.startswith("s3://"):
            for path in sorted((folder / name).rglob("*")):
                if path.is_file():
                    yield path.relative_to(folder / name).as_posix(), path.read_bytes()
            return
        bucket, prefix = _place(name)
        try:
            found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "")
        except ClientError as error:
            raise AwsError(f"{name}: {error}") from error
        for each in found.get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            yield each["Key"].removeprefix(prefix).lstrip("/"), body


def _split(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    positional: list[str] = []
    flags: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            current = flags.setdefault(name, [])
            if equals:
                current.append(value)
        elif current is None:
            positional.append(word)
        else:
            current.append(word)
    return positional, flags


def _parameters(shape: Any, flags: dict[str, list[str]]) -> Iterator[tuple[str, Any]]:
    by_flag = {f"--{xform_name(name, '-')}": name for name in (shape.members if shape else {})}
    for flag, words in flags.items():
        name = by_flag.get(flag) or by_flag.get(flag.replace("--no-", "--", 1))
        if name is None:
            raise AwsError(f"Unknown options: {flag}")
        member = shape.members[name]
        if member.type_name == "boolean":
            yield name, not flag.startswith("--no-") or flag in by_flag
        elif not words:
            raise AwsError(f"{flag}: expected one argument")
        else:
            yield name, _value(member, words)


def _value(shape: Any, words: list[str]) -> Any:
    if shape.type_name == "list":
        if words[0].startswith("["):
            return json.loads(words[0])
        return [_value(shape.member, [word]) for word in words]
    if shape.type_name in ("structure", "map"):
        return json.loads(words[0]) if words[0].startswith("{") else _short(shape, words[0])
    if len(words) > 1:
        raise AwsError(f"Unknown options: {', '.join(words[1:])}")
    if shape.type_name in ("integer", "long"):
        return int(words[0])
    if shape.type_name == "boolean":
        return words[0].lower() == "true"
    return words[0]


def _short(shape: Any, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in shape.members:
            raise AwsError(f"{text!r} is no {shape.name}")
        found[name] = _value(shape.members[name], [value])
    return found


def _place(name: str) -> tuple[str, str]:
    bucket, _, key = name.removeprefix("s3://").partition("/")
    return bucket, key


def _chosen(name: str, flags: dict[str, list[str]]) -> bool:
    """Later flags go before earlier ones; here all that is excluded stands first."""
    included = flags.get("--include", [])
    if any(fnmatch.fnmatch(name, pattern) for pattern in included):
        return True
    return not any(fnmatch.fnmatch(name, pattern) for pattern in flags.get("--exclude", []))


def _text(found: Any) -> str:
    if isinstance(found, list):
        lines = [_text(each) for each in found if isinstance(each, list)]
        return "\n".join(lines) if lines else "\t".join(_text(each) for each in found)
    if isinstance(found, datetime.datetime):
        return found.isoformat()
    return str(found)
