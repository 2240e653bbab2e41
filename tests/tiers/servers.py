"""The servers that all test processes of one run share: one PostgreSQL, one Kafka.

A test has a database and topics of its own in them (tests/conftest.py). They are not durable: what must
survive a crash is tested on servers of its own.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local.servers import free_port, kafka, postgres
from services.migrations import migrate
from tests.background import Background

__all__ = [
    "HASTY",
    "KAFKA_BOOTSTRAP",
    "POSTGRES_DSN",
    "TEMPLATE",
    "at_database",
    "make_template",
    "servers_folder",
    "shared_servers",
]

# Variables by which test processes find the servers; without them each starts its own.
POSTGRES_DSN: Final = "TESTS_POSTGRES_DSN"
KAFKA_BOOTSTRAP: Final = "TESTS_KAFKA_BOOTSTRAP"
# Nothing of a test's database outlives the run, so nothing has to reach the disk.
HASTY: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "400",
}
# A database with all migrations, copied for each test: to run them each time costs four times as much.
TEMPLATE: Final = "migrated"
_START_DEADLINE_S: Final = 420.0
_STOP_DEADLINE_S: Final = 60.0


@contextlib.contextmanager
def servers_folder() -> Iterator[Path]:
    """A data folder for servers. Not pytest's own, which is closed to other users: when tests run as root,
    PostgreSQL runs as `nobody` and has to reach its files."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-tests-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_database(dsn: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def make_template(dsn: str) -> None:
    """Make the database that those of the tests are copies of."""
    maintenance = await asyncpg.connect(dsn, timeout=60.0)
    try:
        await maintenance.execute(f"CREATE DATABASE {TEMPLATE}", timeout=60.0)
    finally:
        await maintenance.close(timeout=10.0)
    connection = await asyncpg.connect(at_database(dsn, TEMPLATE), timeout=60.0)
    try:
        await migrate(connection)
    finally:
        await connection.close(timeout=10.0)


@contextlib.contextmanager
def shared_servers() -> Iterator[Mapping[str, str]]:
    """Start them; yields the variables that tell test processes where they are."""
    background = Background()
    with servers_folder() as folder, contextlib.ExitStack() as stack:
        stack.callback(background.close)
        database = background.run(postgres.start(folder, free_port(), settings=HASTY), _START_DEADLINE_S)
        stack.callback(lambda: background.run(database.stop(), _STOP_DEADLINE_S))
        background.run(make_template(database.dsn), _START_DEADLINE_S)
        broker = background.run(kafka.start(folder, free_port(), fast_start=True), _START_DEADLINE_S)
        stack.callback(lambda: background.run(broker.stop(), _STOP_DEADLINE_S))
        yield {POSTGRES_DSN: database.dsn, KAFKA_BOOTSTRAP: broker.bootstrap_servers}
