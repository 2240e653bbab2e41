"""A login changes in AWS: it reaches pods as a file, and a process that runs takes it. No pod starts again.

Two parts are played here: External Secrets (its kinds are its own, it is not there) copies from an emulated
Secrets Manager what the ExternalSecrets of the release name, and the kubelet projects what the pods' volumes
name. The cache and the client that connects to it are real. Of production's logins it is the one that still
is a password: PostgreSQL and Kafka take tokens (ADR 0030, 0041).
"""

import base64
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import boto3
from pydantic import SecretStr
from redis.asyncio import Redis

from exchange.adapters.redis.client import open_cache
from exchange.process.config import Settings
from exchange.process.connections import CACHE_ERRORS
from local.servers import free_port, valkey
from tests.cluster.api import NAMESPACE, Api, ApiError, Object
from tests.cluster.deploying import SCALED, SINGLE, Scene, rest
from tests.emulator import start_emulator

_POD_OF = "order"
_SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


async def rotation(scene: Scene) -> list[str]:
    """Refused with the old password, let in with the new one, by the same client; pods are who they were."""
    emulator = start_emulator()
    host, port = emulator.get_host_and_port()
    aws = boto3.client(
        "secretsmanager", endpoint_url=f"http://{host}:{port}", region_name="eu-central-1",
        aws_access_key_id="t", aws_secret_access_key="t",
    )  # fmt: skip
    await rest(scene.api)
    before = await _identities(scene.api)
    with tempfile.TemporaryDirectory(prefix="exchange-rotation-") as folder:
        try:
            async with _cache(Path(folder) / "cache") as url:
                await _rotate(scene.api, aws, url, Path(folder) / "logins")
        finally:
            aws.close()
            emulator.stop()
    after = await _identities(scene.api)
    assert after == before, f"pods were made anew: {after.items() ^ before.items()}"
    return [
        "a changed password of the cache: Secrets Manager -> ExternalSecret -> Secret -> file -> the next "
        f"connection of a client that was open all the time; {len(before)} pods as before, no restarts"
    ]


async def _rotate(api: Api, aws: Any, url: str, mounted: Path) -> None:
    owner: Any = Redis.from_url(url)
    # The owner's connection is let in before there is a password, and stays.
    await owner.ping()
    passwords = ("first:@/%", "second:@/%")
    await owner.execute_command("ACL", "SETUSER", "default", "resetpass", f">{passwords[0]}")
    await _publish(api, aws, passwords[0], url, mounted)
    settings = Settings(logins_dir=mounted, cache_url=SecretStr("redis://:none@127.0.0.1:9/0"))
    cache = open_cache(settings)
    try:
        await cache.set("k", b"v")
        await owner.execute_command("ACL", "SETUSER", "default", "resetpass", f">{passwords[1]}")
        await cache.connection_pool.disconnect()
        with contextlib.suppress(*CACHE_ERRORS):
            await cache.get("k")
            raise AssertionError("the old password still opens")
        await _publish(api, aws, passwords[1], url, mounted)
        assert await cache.get("k") == b"v"
    finally:
        await cache.aclose()
        await owner.aclose()


async def _publish(api: Api, aws: Any, password: str, place: str, mounted: Path) -> None:
    """A new version in Secrets Manager, and all that follows of itself on AWS."""
    (pod, *_) = await api.ready_pods(_POD_OF)
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "logins"]
    wanted = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    for name in sorted(wanted):
        external = await api.get(
            f"/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets/{name}"
        )
        for reference in external["spec"]["data"]:
            _put(aws, reference["remoteRef"], password)
        await _write_secret(api, name, _copied(aws, external, place))
    mounted.mkdir(exist_ok=True)
    for source in volume["projected"]["sources"]:
        secret = await api.get(f"{_SECRETS}/{source['secret']['name']}")
        for item in source["secret"]["items"]:
            (mounted / item["path"]).write_bytes(base64.b64decode(secret["data"][item["key"]]))


def _put(aws: Any, remote: Object, password: str) -> None:
    name, value = remote["key"], password
    if remote.get("property"):
        value = json.dumps({remote["property"]: password})
    try:
        aws.put_secret_value(SecretId=name, SecretString=value)
    except aws.exceptions.ResourceNotFoundException:
        aws.create_secret(Name=name, SecretString=value)


def _copied(aws: Any, external: Object, place: str) -> dict[str, str]:
    """What External Secrets makes of one of its objects; the cache's address is the test's own."""
    read = {}
    for reference in external["spec"]["data"]:
        remote = reference["remoteRef"]
        value = aws.get_secret_value(SecretId=remote["key"])["SecretString"]
        of = remote.get("property")
        read[reference["secretKey"]] = str(json.loads(value)[of]) if of else value
    template = external["spec"]["target"].get("template", {}).get("data")
    if template is None:
        return read
    made = {}
    for key, text in template.items():
        for name, value in read.items():
            text = text.replace(f"{{{{ .{name} | urlquery }}}}", quote(value, safe=""))
        assert "{{" not in text, f"{key}: more is asked of External Secrets than is played here"
        made[key] = _at(text, place) if text.startswith("rediss://") else text
    return made


def _at(url: str, place: str) -> str:
    login, there = urlsplit(url).netloc.rpartition("@")[0], urlsplit(place)
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
async def _cache(folder: Path) -> AsyncIterator[str]:
    server = await valkey.start(folder, free_port())
    try:
        yield server.url
    finally:
        await server.stop()
