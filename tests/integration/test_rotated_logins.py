"""Logins change while a process runs: what was open goes on, what is opened then is let in. Real servers.

A folder of files stands for what Kubernetes mounts of a Secret: each change replaces the whole of it at once.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.postgres import login_watch
from exchange.adapters.redis.client import open_cache
from exchange.process.config import LOGINS, Settings, SettingsError
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS
from local.servers import free_port, valkey
from tests.background import Background

pytestmark = pytest.mark.integration


class MountedSecret:
    """A folder as the kubelet keeps it: names are links into a hidden folder that is swapped whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version = 0

    def write(self, **values: str) -> None:
        self._version += 1
        fresh = self.folder / f"..{self._version}"
        fresh.mkdir(parents=True)
        for name, value in values.items():
            (fresh / name).write_text(value, encoding="utf-8")
        link = self.folder / "..data_tmp"
        link.symlink_to(fresh.name)
        os.replace(link, self.folder / "..data")
        for name in values:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MountedSecret:
    monkeypatch.setenv("EXCHANGE_LOGINS_DIR", str(tmp_path / "logins"))
    return MountedSecret(tmp_path / "logins")


def with_login(url: str, login: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


async def test_the_database_s_new_password_is_taken_without_a_new_start(
    database_dsn: str, secret: MountedSecret, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_watch, "REFUSED_S_MAX", 0.2)
    monkeypatch.setattr(login_watch, "LOOK_EVERY_S", 0.05)
    role = f"rotated_{os.getpid()}"
    owner = await asyncpg.connect(database_dsn)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'first'")
    secret.write(
        database_dsn=with_login(database_dsn, f"{role}:first"),
        database_reader_dsn=with_login(database_dsn, f"{role}:first"),
        cache_url=valkey_url,
    )
    try:
        async with deployed_resources(Settings.load()) as resources:
            reader, keys = resources.database_reader, resources.database_keys
            assert reader is not None
            assert keys is not None
            pools = (resources.database, keys, reader)
            async with resources.database.acquire() as open_before:
                await owner.execute(f"ALTER ROLE {role} PASSWORD 'second'")
                assert await open_before.fetchval("SELECT 1") == 1
            for pool in pools:
                await pool.expire_connections()
                with pytest.raises(CONNECTION_ERRORS):
                    await pool.fetchval("SELECT 1")
            # Refused for longer than a process with a password in a variable lives.
            await asyncio.sleep(0.5)
            dsn = with_login(database_dsn, f"{role}:second")
            secret.write(database_dsn=dsn, database_reader_dsn=dsn, cache_url=valkey_url)
            for pool in pools:
                assert await pool.fetchval("SELECT current_user") == role
    finally:
        await owner.execute(f"DROP ROLE {role}")
        await owner.close()


@pytest.fixture(scope="module")
def own_valkey(background: Background, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = background.run(valkey.start(tmp_path_factory.mktemp("valkey"), free_port()), 60)
    yield server.url
    background.run(server.stop(), 60)


@pytest.mark.parametrize("user", ["", "exchange"])
async def test_the_cache_s_new_password_is_taken_without_a_new_start(
    own_valkey: str, secret: MountedSecret, user: str
) -> None:
    owner = Redis.from_url(own_valkey)
    name = user or "default"
    await owner.execute_command("ACL", "SETUSER", name, "on", "resetpass", ">fi:r@st", "~*", "&*", "+@all")
    secret.write(cache_url=with_login(own_valkey, f"{user}:fi%3Ar%40st"))
    cache = open_cache(Settings.load())
    try:
        await cache.set("k", b"v")
        await owner.execute_command("ACL", "SETUSER", name, "resetpass", ">second")
        await cache.connection_pool.disconnect()
        with pytest.raises(CACHE_ERRORS):
            await cache.get("k")
        secret.write(cache_url=with_login(own_valkey, f"{user}:second"))
        assert await cache.get("k") == b"v"
    finally:
        await owner.execute_command("ACL", "SETUSER", "default", "on", "nopass")
        await cache.aclose()
        await owner.aclose()


def test_files_go_before_variables_and_what_is_missing_is_the_variable_s(
    secret: MountedSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_CACHE_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("EXCHANGE_KAFKA_USERNAME", "of-the-variable")
    secret.write(kafka_username="of-the-file\n", kafka_password="p", database_dsn="postgresql://u:p@h/d")
    settings = Settings.load()
    assert settings.kafka_username == settings.login("kafka_username") == "of-the-file"
    assert settings.database_dsn.get_secret_value() == "postgresql://u:p@h/d"
    assert settings.login("cache_url") == "redis://127.0.0.1:1/0"
    secret.write(kafka_username="another")
    assert settings.login("kafka_username") == "another"
    # A file that is gone for a moment is no reason to forget how to get in.
    assert settings.login("database_dsn") == "postgresql://u:p@h/d"
    assert {name for name in LOGINS if name not in Settings.model_fields} == set()


def test_a_file_that_cannot_be_read_is_said_and_its_content_is_not(secret: MountedSecret) -> None:
    (secret.folder / "cache_url").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"EXCHANGE_LOGINS_DIR: cache_url cannot be read"):
        Settings.load()
