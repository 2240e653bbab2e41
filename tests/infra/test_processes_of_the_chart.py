"""Every process starts with exactly what its pod is told, and becomes ready: real servers, emulated AWS.

The environment is the chart's, the image's and Pod Identity's, and nothing of this machine's: no credentials
and no region but those. Replaced are addresses of servers, folders and ports; the engine has no lease, for
there is no Kubernetes here (tests/cluster has one). Each service is its own user of the database, made by the
migrations' job, with a password here: no PostgreSQL but Amazon's takes a token.
"""

import asyncio
import contextlib
import http.server
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import boto3
import httpx
import pytest

from local.servers import free_port
from services.migrations.rights import RIGHTS, user_of
from tests.helm.charts import ROOT, containers, logins, workloads
from tests.integration.market_history.conftest import terraform_tables

pytestmark = [pytest.mark.integration, pytest.mark.thorough, pytest.mark.timeout(1_200)]

REGION = "eu-central-1"
READY_DEADLINE_S = 600.0
PASSWORD = "stands-for-a-token"
# Only the tree itself: a process of the image has no packages of ours.
_PATHS = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


class _Agent(http.server.BaseHTTPRequestHandler):
    """Pod Identity's agent on the node: credentials for who has the token of the pod."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == "token-of-the-pod"
        names = ("AccessKeyId", "SecretAccessKey", "Token")
        answer = {**dict.fromkeys(names, "of-the-pod"), "Expiration": "2099-01-01T00:00:00Z"}
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(json.dumps(answer if known else {}).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def pod_identity(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What EKS adds to a pod whose account has a role."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text("token-of-the-pod")
    yield {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    server.shutdown()
    server.server_close()


def estate(endpoint: str) -> list[str]:
    """Make what Terraform makes, in the emulator; arguments that tell the chart of it."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="t",
            aws_secret_access_key="t",
        )

    s3 = client("s3")
    for bucket in ("exchange-example-archive", "exchange-example-snapshots"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for kind, (partition, order) in terraform_tables().items():
        client("dynamodb").create_table(
            TableName=f"exchange-example-{kind}",
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
    client("kinesis").create_stream(StreamName="exchange-example-market-data", ShardCount=1)
    values = {
        "global.kmsKeyId": client("kms").create_key()["KeyMetadata"]["Arn"],
        "global.notices.queueUrl": client("sqs").create_queue(QueueName="notices")["QueueUrl"],
        "global.notices.topicArn": client("sns").create_topic(Name="notices")["TopicArn"],
    }
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


def image_environment() -> dict[str, str]:
    """ENV of the image that runs, as the Dockerfile's last stage has it."""
    last = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")[-1].replace("\\\n", " ")
    given = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", last, re.MULTILINE))))
    assert {"EXCHANGE_DATA_DIR", "EXCHANGE_PORT", "XDG_CACHE_HOME"} <= set(given)
    return given


class Pods:
    """The processes of a rendered release on this machine."""

    def __init__(self, folder: Path, more: tuple[str, ...], added: dict[str, str]) -> None:
        self._folder, self._more, self._added = folder, more, added
        self._commands = dict(containers("production", *more))
        self.ports: dict[str, int] = {}
        self.running: dict[str, asyncio.subprocess.Process] = {}

    def environment(self, name: str, secrets: dict[str, str]) -> dict[str, str]:
        """Exactly what the container gets, but for places that are other ones here."""
        told = {entry["name"]: entry["value"] for entry in self._commands[name]["env"]}
        home = self._folder / name
        for setting in logins("production", *self._more)[name]:
            (home / "logins").mkdir(parents=True, exist_ok=True)
            (home / "logins" / setting).write_text(secrets[setting], encoding="utf-8")
        (home / "data").mkdir(parents=True, exist_ok=True)
        self.ports[name] = free_port()
        places = {
            "EXCHANGE_DATA_DIR": str(home / "data"),
            "EXCHANGE_PORT": str(self.ports[name]),
            "EXCHANGE_HOST": "127.0.0.1",
            "HOME": str(home),
        }
        if "EXCHANGE_LOGINS_DIR" in told:
            places["EXCHANGE_LOGINS_DIR"] = str(home / "logins")
        if "EXCHANGE_DATABASE_TOKENS" in told:
            places["EXCHANGE_DATABASE_TOKENS"] = "false"
            for setting in {"EXCHANGE_DATABASE_DSN", "EXCHANGE_DATABASE_READER_DSN"} & set(told):
                user = urlsplit(told[setting]).username
                here = urlsplit(secrets["database_dsn"])
                netloc = f"{user}:{PASSWORD}@{here.netloc.rpartition('@')[2]}"
                places[setting] = urlunsplit(here._replace(netloc=netloc))
        given = image_environment() | told | places | self._added | _PATHS
        # The image's cache is its user's: here the compiled engine is in that of whoever runs the tests.
        given["XDG_CACHE_HOME"] = str(Path.home() / ".cache")
        if name == "engine":
            del given["EXCHANGE_LEASE"]
        return given

    async def start(self, name: str, secrets: dict[str, str]) -> asyncio.subprocess.Process:
        log = (self._folder / f"{name}.log").open("wb")
        command = [sys.executable, *self._commands[name]["command"][1:]]
        with log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *command, env=self.environment(name, secrets), cwd=self._folder, stdout=log, stderr=log
            )
        return self.running[name]

    async def ready(self, name: str) -> None:
        """Wait for its /readyz; what it said until then is in the error."""
        said = ""
        async with httpx.AsyncClient(timeout=10) as client:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_DEADLINE_S):
                    while self.running[name].returncode is None:
                        with contextlib.suppress(httpx.TransportError):
                            answer = await client.get(f"http://127.0.0.1:{self.ports[name]}/readyz")
                            if answer.status_code == 200:
                                return
                            said = answer.text
                        await asyncio.sleep(0.2)
        log = (self._folder / f"{name}.log").read_text("utf-8", errors="replace")
        raise AssertionError(f"{name} is not ready ({self.running[name].returncode}): {said}\n{log[-3_000:]}")


@pytest.fixture
async def pods(
    tmp_path: Path, pod_identity: dict[str, str], kafka_bootstrap: str, s3_endpoint: str
) -> AsyncIterator[Pods]:
    values = {
        "global.shard": "78",
        "global.kafka.bootstrap": kafka_bootstrap.replace(",", r"\,"),
        "global.kafka.securityProtocol": "PLAINTEXT",
        "global.kafka.saslMechanism": "",
        "global.kafka.replicas": "1",
        "global.redis.cluster": "false",
        "global.database.caConfigMap": "null",
        # Nothing leaves this machine.
        "global.tracing.endpoint": "http://127.0.0.1:9/v1/traces",
        "global.notices.connectionsEndpoint": "http://127.0.0.1:9",
        "global.identity.issuers": "{https://127.0.0.1:9}",
    }
    more = tuple(word for name, value in values.items() for word in ("--set", f"{name}={value}"))
    more = (*more, "--skip-schema-validation", *estate(s3_endpoint))
    found = Pods(tmp_path, more, {**pod_identity, "AWS_ENDPOINT_URL": s3_endpoint, "NO_PROXY": "127.0.0.1"})
    yield found
    for process in found.running.values():
        if process.returncode is None:
            process.terminate()
    for process in found.running.values():
        try:
            await asyncio.wait_for(process.wait(), 60)
        except TimeoutError:
            process.kill()
            await process.wait()


async def test_every_process_becomes_ready_with_what_its_pod_is_told(
    pods: Pods, database_dsn: str, valkey_url: str
) -> None:
    secrets = {"database_dsn": database_dsn, "database_reader_dsn": database_dsn, "cache_url": valkey_url}
    for job in ("migrations", "topics"):
        process = await pods.start(job, secrets)
        assert await process.wait() == 0, (pods._folder / f"{job}.log").read_text("utf-8")
    await _with_owner(database_dsn, f"ALTER ROLE {{}} PASSWORD '{PASSWORD}'")
    names = [
        name
        for name in workloads("production", *pods._more)
        if name not in ("migrations", "topics", "readiness")
    ]
    assert len(names) == 11
    for name in ("engine", *(name for name in names if name != "engine")):
        await pods.start(name, secrets)
    for name in names:
        await pods.ready(name)
    for name, process in pods.running.items():
        if name in names:
            process.terminate()
    for name in names:
        assert await asyncio.wait_for(pods.running[name].wait(), 60) == 0, name
    await _with_owner(database_dsn, "DROP OWNED BY {0}; DROP ROLE {0}")


async def _with_owner(dsn: str, statement: str) -> None:
    """The statement for each service's user."""
    owner = await asyncpg.connect(dsn)
    try:
        for service in RIGHTS:
            await owner.execute(statement.format(user_of(service)))
    finally:
        await owner.close()
