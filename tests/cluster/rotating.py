"""A login changes in AWS: it reaches pods as a file, and a process that runs takes it. No pod starts again.

Two parts are played here: External Secrets (its kinds are its own, it is not there) copies from an emulated
Secrets Manager what the ExternalSecrets of the release name, and the kubelet projects what the pods' volumes
name. The database and the pool that connects to it are real.
"""

import base64
import contextlib
import json
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import boto3
from pydantic import SecretStr

from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.process.config import Settings
from exchange.process.connections import CONNECTION_ERRORS
from local.servers import free_port, postgres
from tests.cluster.api import NAMESPACE, Api, ApiError, Object, until
from tests.cluster.deploying import SCALED, SINGLE, Scene
from tests.emulator import start_emulator

_POD_OF = "order"
_SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_DEADLINE_MS = 5_000
_WAIT_S = 60.0


async def rotation(scene: Scene) -> list[str]:
    """Refused with the old password, let in with the new one, by the same pool; pods are who they were."""
    emulator = start_emulator()
    host, port = emulator.get_host_and_port()
    aws = boto3.client(
        "secretsmanager", endpoint_url=f"http://{host}:{port}", region_name="eu-central-1",
        aws_access_key_id="t", aws_secret_access_key="t",
    )  # fmt: skip
    await until("the autoscaler has nothing left to do", lambda: _is_at_rest(scene.api), _WAIT_S)
    before = await _identities(scene.api)
    with tempfile.TemporaryDirectory(prefix="exchange-rotation-") as folder:
        try:
            async with _database(Path(folder) / "database") as owner_dsn:
                await _rotate(scene.api, aws, owner_dsn, Path(folder) / "logins")
        finally:
            aws.close()
            emulator.stop()
    after = await _identities(scene.api)
    assert after == before, f"pods were made anew: {after.items() ^ before.items()}"
    return [
        "a changed password of the database: Secrets Manager -> ExternalSecret -> Secret -> file -> the next "
        f"connection of a pool that was open all the time; {len(before)} pods as before, no restarts"
    ]


async def _rotate(api: Api, aws: Any, owner_dsn: str, mounted: Path) -> None:
    role = f"exchange_{uuid.uuid4().hex[:8]}"
    owner = await asyncpg.connect(owner_dsn)
    try:
        passwords = ("first:@/%", "second:@/%")
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{passwords[0]}'")
        await _publish(api, aws, role, passwords[0], owner_dsn, mounted)
        settings = Settings(
            logins_dir=mounted, database_dsn=SecretStr("postgresql://nobody@127.0.0.1:9/none"),
            database_deadline_ms=_DEADLINE_MS,
        )  # fmt: skip
        pool = await open_pool(settings)
        try:
            await owner.execute(f"ALTER ROLE {role} PASSWORD '{passwords[1]}'")
            await pool.expire_connections()
            with contextlib.suppress(*CONNECTION_ERRORS):
                await pool.fetchval("SELECT 1")
                raise AssertionError("the old password still opens")
            await _publish(api, aws, role, passwords[1], owner_dsn, mounted)
            assert await pool.fetchval("SELECT current_user") == role
        finally:
            await close_pool(pool, _DEADLINE_MS)
    finally:
        await owner.close()


async def _publish(api: Api, aws: Any, user: str, password: str, place: str, mounted: Path) -> None:
    """A new version in Secrets Manager, and all that follows of itself on AWS."""
    (pod, *_) = await api.ready_pods(_POD_OF)
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "logins"]
    wanted = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    for name in sorted(wanted):
        external = await api.get(
            f"/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets/{name}"
        )
        for reference in external["spec"]["data"]:
            _put(aws, reference["remoteRef"]["key"], user, password)
        await _write_secret(api, name, _copied(aws, external, place))
    mounted.mkdir(exist_ok=True)
    for source in volume["projected"]["sources"]:
        secret = await api.get(f"{_SECRETS}/{source['secret']['name']}")
        for item in source["secret"]["items"]:
            (mounted / item["path"]).write_bytes(base64.b64decode(secret["data"][item["key"]]))


def _put(aws: Any, name: str, user: str, password: str) -> None:
    value = json.dumps({"username": user, "password": password})
    try:
        aws.put_secret_value(SecretId=name, SecretString=value)
    except aws.exceptions.ResourceNotFoundException:
        aws.create_secret(Name=name, SecretString=value)


def _copied(aws: Any, external: Object, place: str) -> dict[str, str]:
    """What External Secrets makes of one of its objects; the database's address is the test's own."""
    read = {}
    for reference in external["spec"]["data"]:
        remote = reference["remoteRef"]
        value = json.loads(aws.get_secret_value(SecretId=remote["key"])["SecretString"])
        read[reference["secretKey"]] = str(value[remote["property"]])
    template = external["spec"]["target"].get("template", {}).get("data")
    if template is None:
        return read
    made = {}
    for key, text in template.items():
        for name, value in read.items():
            text = text.replace(f"{{{{ .{name} | urlquery }}}}", quote(value, safe=""))
        assert "{{" not in text, f"{key}: more is asked of External Secrets than is played here"
        made[key] = _at(text, place) if text.startswith("postgresql://") else text
    return made


def _at(dsn: str, place: str) -> str:
    login, there = urlsplit(dsn).netloc.rpartition("@")[0], urlsplit(place)
    return urlunsplit(there._replace(netloc=f"{login}@{there.netloc.rpartition('@')[2]}"))


async def _write_secret(api: Api, name: str, values: dict[str, str]) -> None:
    metadata = {"name": name, "namespace": NAMESPACE}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
    try:
        await api.patch(f"{_SECRETS}/{name}", body)
    except ApiError as error:
        if error.code != 404:
            raise
        await api.post(_SECRETS, body)


async def _is_at_rest(api: Api) -> bool:
    """Whether every service has as many pods as production has without load."""
    counts = [(await api.replicas(name), len(await api.ready_pods(name))) for name in SCALED]
    return counts == [(2, 2)] * len(SCALED)


async def _identities(api: Api) -> dict[str, int]:
    """Pod -> how often it has started again."""
    return {
        f"{pod['metadata']['name']} {pod['metadata']['uid']}": sum(
            status.get("restartCount", 0) for status in pod["status"].get("containerStatuses", [])
        )
        for name in (*SCALED, *SINGLE, "engine")
        for pod in await api.pods(name)
    }


@contextlib.asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[str]:
    folder.mkdir(mode=0o755)
    server = await postgres.start(folder, free_port())
    try:
        yield server.dsn
    finally:
        await server.stop()
