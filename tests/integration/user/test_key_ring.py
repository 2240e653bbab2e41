"""Secrets at rest: where they open and where not, rotation, and a key management service over HTTP."""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from exchange.adapters.aws.kms import KmsKeyWrapper
from exchange.adapters.files.key import FileKeyWrapper
from exchange.ports.world import KeyWrapError
from exchange.process.components import Resources
from exchange.security.credentials import PostgresCredentials, SecretUnreadableError, hash_api_key
from exchange.security.key_ring import KeyRing, KeyRingError, api_secret_place
from local.servers import free_port
from tests.integration.user.conftest import Exchange, Person

pytestmark = pytest.mark.integration

PLACE = api_secret_place(1001, hash_api_key("a" * 64))
CONTEXT = {"purpose": "test", "version": "1"}


@pytest.fixture(scope="module")
def kms_url() -> Iterator[str]:
    """An emulator of AWS, over HTTP."""
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def kms(kms_url: str, monkeypatch: pytest.MonkeyPatch) -> KmsKeyWrapper:
    """A wrapper over a fresh key of the emulator."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    client = boto3.client("kms", endpoint_url=kms_url)
    key_id = client.create_key(Description="test")["KeyMetadata"]["KeyId"]
    client.close()
    return KmsKeyWrapper(key_id, 5_000, kms_url)


async def new_key(exchange: Exchange, person: Person) -> tuple[str, str]:
    body = {"label": "bot", "permissions": ["READ"]}
    answer = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["apiKey"], answer.json()["secretKey"]


async def secret_of(resources: Resources, api_key: str) -> str:
    found = await PostgresCredentials.from_resources(resources).find(api_key)
    assert found is not None
    assert found.secret is not None
    return found.secret.decode()


async def versions_of(resources: Resources) -> dict[str, int]:
    rows = await resources.database.fetch("SELECT api_key, secret_encrypted FROM api_keys")
    return {row["api_key"]: int.from_bytes(row["secret_encrypted"][1:5]) for row in rows}


async def test_old_secrets_open_after_a_rotation_and_new_ones_use_the_new_key(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    old_key, old_secret = await new_key(exchange, person)
    assert await KeyRing.from_resources(exchange.resources).rotate() == 2
    new_api_key, new_secret = await new_key(exchange, person)
    assert await versions_of(exchange.resources) == {old_key: 1, new_api_key: 2}
    # Another process, which has unwrapped nothing yet.
    assert await secret_of(exchange.resources, old_key) == old_secret
    assert await secret_of(exchange.resources, new_api_key) == new_secret
    stored = await exchange.resources.database.fetch("SELECT wrapped FROM data_keys")
    assert len({row["wrapped"] for row in stored}) == 2


async def test_a_running_process_opens_what_was_sealed_after_a_rotation(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    credentials = PostgresCredentials.from_resources(exchange.resources)
    first, _ = await new_key(exchange, person)
    assert await credentials.find(first) is not None
    await KeyRing.from_resources(exchange.resources).rotate()
    second, secret = await new_key(exchange, person)
    found = await credentials.find(second)
    assert found is not None
    assert found.secret == secret.encode()


async def test_the_operators_command_rotates(resources: Resources) -> None:
    settings = resources.settings
    environment = {
        "DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "SECRET_KEY_FILE": str(settings.secret_key_file),
    }
    for version in (1, 2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.data_keys.main", "rotate"),
            env=os.environ | {f"EXCHANGE_{name}": value for name, value in environment.items()},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, output.decode().split()[-1]) == (0, str(version))
    ring = KeyRing.from_resources(resources)
    assert await ring.open(await ring.seal(b"secret", PLACE), PLACE) == b"secret"


async def test_processes_that_start_together_agree_on_one_data_key(resources: Resources) -> None:
    rings = [KeyRing.from_resources(resources) for _ in range(8)]
    sealed = await asyncio.gather(*(ring.seal(b"secret", PLACE) for ring in rings))
    assert await resources.database.fetchval("SELECT count(*) FROM data_keys") == 1
    for secret in sealed:
        assert await rings[0].open(secret, PLACE) == b"secret"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE api_keys a SET secret_encrypted = b.secret_encrypted FROM api_keys b WHERE a <> b", "row"),
        ("UPDATE api_keys SET user_id = (SELECT max(user_id) FROM users)", "user"),
        ("UPDATE api_keys SET secret_encrypted = set_byte(secret_encrypted, 30, 0)", "byte"),
        ("UPDATE api_keys SET secret_encrypted = set_byte(secret_encrypted, 4, 2)", "version"),
        ("UPDATE api_keys SET secret_encrypted = set_byte(secret_encrypted, 0, 9)", "format"),
        ("UPDATE api_keys SET secret_encrypted = ''", "nothing"),
        ("UPDATE data_keys SET version = 10 - version", "data keys"),
    ],
)
async def test_a_ciphertext_that_was_moved_or_changed_opens_nothing(
    exchange: Exchange, change: str, named: str
) -> None:
    owner, thief = await exchange.signed_in(), await exchange.signed_in()
    assert owner.user_id < thief.user_id
    keys = [(await new_key(exchange, owner))[0] for _ in range(2)]
    await KeyRing.from_resources(exchange.resources).rotate()
    database = exchange.resources.database
    # A byte that happens to be zero already is one chance in 256: make sure that it is not.
    if named == "byte":
        await database.execute("UPDATE api_keys SET secret_encrypted = set_byte(secret_encrypted, 30, 1)")
    await database.execute(change)
    credentials = PostgresCredentials.from_resources(exchange.resources)
    for api_key in keys:
        with pytest.raises(SecretUnreadableError):
            await credentials.find(api_key)


async def test_without_the_key_that_wraps_nothing_opens(exchange: Exchange, tmp_path: Path) -> None:
    api_key, _ = await new_key(exchange, await exchange.signed_in())
    thief = replace(exchange.resources, key_wrapper=FileKeyWrapper(tmp_path / "another.key"))
    with pytest.raises(SecretUnreadableError):
        await PostgresCredentials.from_resources(thief).find(api_key)
    with pytest.raises(KeyRingError):
        KeyRing.from_resources(replace(exchange.resources, key_wrapper=None))


async def test_a_key_management_service_wraps_bound_to_the_context(kms: KmsKeyWrapper, kms_url: str) -> None:
    data_key = secrets.token_bytes(32)
    wrapped = await kms.wrap(data_key, CONTEXT)
    assert data_key not in wrapped
    assert await kms.unwrap(wrapped, CONTEXT) == data_key
    with pytest.raises(KeyWrapError):
        await kms.unwrap(wrapped, CONTEXT | {"version": "2"})
    with pytest.raises(KeyWrapError):
        await kms.unwrap(b"nonsense", CONTEXT)
    with pytest.raises(KeyWrapError, match="NotFoundException"):
        await KmsKeyWrapper("alias/nobody", 5_000, kms_url).wrap(data_key, CONTEXT)


async def test_secrets_live_under_a_key_of_the_service_and_survive_its_absence(
    kms: KmsKeyWrapper, resources: Resources
) -> None:
    resources = replace(resources, key_wrapper=kms)
    ring = KeyRing.from_resources(resources)
    first = await ring.seal(b"first", PLACE)
    assert await ring.rotate() == 2
    second = await ring.seal(b"second", PLACE)
    fresh = KeyRing.from_resources(resources)
    assert [await fresh.open(sealed, PLACE) for sealed in (first, second)] == [b"first", b"second"]
    kms._key_id = "alias/gone"
    assert await fresh.open(first, PLACE) == b"first", "an unwrapped data key is kept"
    with pytest.raises(KeyRingError):
        await KeyRing.from_resources(resources).open(first, PLACE)


async def test_secrets_of_api_keys_open_after_the_service_has_rotated_its_key(
    kms: KmsKeyWrapper, kms_url: str, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS keeps the old backing keys of a rotated key, so what was wrapped stays readable. The emulator
    writes the rotation down and has one backing key: what a client asks and is answered is the same."""
    for service in exchange.replicas:
        monkeypatch.setattr(service.accounts._key_ring, "_wrapper", kms)
    resources = replace(exchange.resources, key_wrapper=kms)
    person = await exchange.signed_in()
    secrets_by_key = dict([await new_key(exchange, person)])
    client = boto3.client("kms", endpoint_url=kms_url)
    try:
        client.enable_key_rotation(KeyId=kms._key_id)
        for turn in (1, 2):
            client.rotate_key_on_demand(KeyId=kms._key_id)
            assert len(client.list_key_rotations(KeyId=kms._key_id)["Rotations"]) == turn
            # Under the data key that was wrapped before, and under a new one.
            secrets_by_key |= dict([await new_key(exchange, person)])
            assert await KeyRing.from_resources(resources).rotate() == turn + 1
            secrets_by_key |= dict([await new_key(exchange, person)])
        assert client.get_key_rotation_status(KeyId=kms._key_id)["KeyRotationEnabled"]
    finally:
        client.close()
    assert sorted((await versions_of(resources)).values()) == [1, 1, 2, 2, 3]
    for api_key, secret in secrets_by_key.items():
        assert await secret_of(resources, api_key) == secret


async def test_an_alias_that_is_moved_to_another_key_opens_nothing_until_it_is_moved_back(
    kms: KmsKeyWrapper, kms_url: str, resources: Resources
) -> None:
    """Why the settings name the key's ARN: to move an alias is no rotation, it loses what was wrapped."""
    client = boto3.client("kms", endpoint_url=kms_url)
    alias = f"alias/{secrets.token_hex(4)}"
    try:
        client.create_alias(AliasName=alias, TargetKeyId=kms._key_id)
        by_alias = replace(resources, key_wrapper=KmsKeyWrapper(alias, 5_000, kms_url))
        sealed = await KeyRing.from_resources(by_alias).seal(b"secret", PLACE)
        client.update_alias(AliasName=alias, TargetKeyId=client.create_key()["KeyMetadata"]["KeyId"])
        with pytest.raises(KeyRingError):
            await KeyRing.from_resources(by_alias).open(sealed, PLACE)
        client.update_alias(AliasName=alias, TargetKeyId=kms._key_id)
        assert await KeyRing.from_resources(by_alias).open(sealed, PLACE) == b"secret"
    finally:
        client.close()


async def test_a_service_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    accepted: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        wrapper = KmsKeyWrapper("alias/any", 3_000, f"http://127.0.0.1:{port}")
        with pytest.raises(KeyWrapError):
            await asyncio.wait_for(wrapper.wrap(bytes(32), CONTEXT), 60)
        assert accepted
        for writer in accepted:
            writer.close()
