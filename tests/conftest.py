"""Real servers for tests: each starts once a session, when a test asks for it, unless the run shares one.

`make test` starts PostgreSQL and Kafka once for all its test processes (tests/tiers/servers.py). The fixtures
are synchronous and their servers run in a thread, so that they belong to no test's event loop.
"""

import contextlib
import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
from redis import Redis

from local.servers import free_port, kafka, postgres, valkey
from tests.background import Background
from tests.sharing import put_last, put_off, put_together
from tests.tiers.servers import (
    HASTY,
    KAFKA_BOOTSTRAP,
    POSTGRES_DSN,
    TEMPLATE,
    at_database,
    make_template,
    servers_folder,
)

# The same examples each time: what `make test` says of a commit, it says of it again. `make fuzz` searches.
hypothesis.settings.register_profile("same-each-time", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same-each-time")

START_DEADLINE_S = 420.0
STOP_DEADLINE_S = 60.0


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    """The loop in which session-wide servers live."""
    loop = Background()
    yield loop
    loop.close()


# First: pytest-xdist reads the marks in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the work, tests that share an exchange go to one of them."""
    put_off(items)
    put_last(items)
    if hasattr(config, "workerinput"):
        put_together(items)


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: no collection of garbage need look through them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    """The data folder of the session's servers."""
    with servers_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """A PostgreSQL for the session: its maintenance database. Tests want `database_dsn`."""
    if shared := os.environ.get(POSTGRES_DSN):
        yield shared
        return
    background, folder = request.getfixturevalue("background"), request.getfixturevalue("servers_dir")
    server = background.run(postgres.start(folder, free_port(), settings=HASTY), START_DEADLINE_S)
    background.run(make_template(server.dsn), START_DEADLINE_S)
    yield server.dsn
    background.run(server.stop(), STOP_DEADLINE_S)


@pytest.fixture
def database_dsn(background: Background, postgres_dsn: str) -> Iterator[str]:
    """A database of the test's own with all migrations, dropped afterwards, whoever is still connected."""
    with _database(background, postgres_dsn, f"TEMPLATE {TEMPLATE}") as dsn:
        yield dsn


@pytest.fixture
def empty_database_dsn(background: Background, postgres_dsn: str) -> Iterator[str]:
    """The same without anything in it."""
    with _database(background, postgres_dsn, "") as dsn:
        yield dsn


@contextlib.contextmanager
def _database(background: Background, postgres_dsn: str, made_from: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    background.run(_execute(postgres_dsn, f"CREATE DATABASE {name} {made_from}"), STOP_DEADLINE_S)
    yield at_database(postgres_dsn, name)
    background.run(_execute(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)"), STOP_DEADLINE_S)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        await connection.execute(statement, timeout=30.0)
    finally:
        await connection.close(timeout=10.0)


@pytest.fixture(scope="session")
def valkey_server_url(background: Background, servers_dir: Path) -> Iterator[str]:
    """A Valkey for the session. Tests want `valkey_url`."""
    server = background.run(valkey.start(servers_dir, free_port()), START_DEADLINE_S)
    yield server.url
    background.run(server.stop(), STOP_DEADLINE_S)


@pytest.fixture
def valkey_url(valkey_server_url: str) -> str:
    """The session's Valkey, emptied for this test."""
    with Redis.from_url(valkey_server_url, socket_timeout=10.0) as client:
        client.flushall()
    return valkey_server_url


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Kafka broker for the session, as host:port. Tests take topic names of their own."""
    if shared := os.environ.get(KAFKA_BOOTSTRAP):
        yield shared
        return
    background, folder = request.getfixturevalue("background"), request.getfixturevalue("servers_dir")
    server = background.run(
        kafka.start(folder, free_port(), fast_start=True, on_progress=print), START_DEADLINE_S
    )
    yield server.bootstrap_servers
    background.run(server.stop(), STOP_DEADLINE_S)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 emulator that speaks HTTP on a port of its own, for the session. Tests want `s3_bucket`."""
    from tests.emulator import start_emulator

    server = start_emulator()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has credentials that the emulator takes, and a region."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def s3_bucket(s3_endpoint: str, aws_credentials: None) -> str:
    """An empty bucket of the test's own; the environment has the emulator's credentials."""
    import boto3

    name = f"test-{uuid.uuid4().hex[:12]}"
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket=name)
    client.close()
    return name
