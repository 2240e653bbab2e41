"""Applies `NNNN_name.sql` in order, once each; refuses a history that differs from the files.

Pending files run in one transaction under an advisory lock, so that replicas may start together and a failed
file leaves nothing behind. But for a file whose first line begins with `-- concurrently:`, which makes or
drops indexes of tables that are large and written meanwhile: its statements run one by one, outside of a
transaction, and block nobody. One that was interrupted is begun anew by the next run: what it left half-made
is dropped, what it had finished stays.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["Migration", "MigrationError", "migrate", "migrations_in"]

FOLDER: Final = Path(__file__).parent
LOCK_DEADLINE_MS: Final = 60_000
LOCK_POLL_S: Final = 0.1
STATEMENT_DEADLINE_S: Final = 600.0
# An index of a table of many years takes hours, and nobody waits for it but the job that makes it.
CONCURRENT_DEADLINE_S: Final = 24 * 3_600.0
_LOCK_KEY: Final = 0x6D69_6772  # "migr": nobody else takes this one
_NAME: Final = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql", re.ASCII)
_CONCURRENTLY: Final = "-- concurrently:"
_MAKES_INDEX: Final = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+) ON ", re.ASCII)
_DROPS_INDEX: Final = re.compile(r"DROP INDEX CONCURRENTLY IF EXISTS \w+", re.ASCII)
_IS_HALF_MADE: Final = (
    "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)"
)

_CREATE_HISTORY: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    sha256 bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


# Setting -> what it must be, and how to mend it.
_DATABASE_SETTINGS: Final = {
    "server_encoding": ("UTF8", "make it anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"),
    "default_transaction_isolation": (
        "read committed",
        "ALTER DATABASE ... RESET default_transaction_isolation",
    ),
}


class MigrationError(Exception):
    """The files and the database's history do not fit together; nothing was changed."""


@dataclass(frozen=True)
class Migration:
    """One file: its name, its text, and the SHA-256 of its bytes."""

    name: str
    text: str
    sha256: bytes

    @property
    def is_concurrent(self) -> bool:
        """Whether it runs outside of a transaction."""
        return self.text.startswith(_CONCURRENTLY)

    def statements(self) -> list[str]:
        """Those of a concurrent file. Raises MigrationError on one that cannot be begun anew."""
        lines = [line for line in self.text.splitlines() if not line.startswith("--")]
        found = [" ".join(statement.split()) for statement in "\n".join(lines).split(";")]
        statements = [statement for statement in found if statement]
        for statement in statements:
            if not (_MAKES_INDEX.match(statement) or _DROPS_INDEX.fullmatch(statement)):
                raise MigrationError(f"{self.name} is concurrent and has more than indexes: {statement[:80]}")
        return statements


def migrations_in(folder: Path) -> list[Migration]:
    """The folder's files in order. Raises MigrationError on a bad name or a number used twice."""
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        if match[1] in found:
            raise MigrationError(f"{path.name} and {found[match[1]].name} have the same number")
        content = path.read_bytes()
        found[match[1]] = Migration(path.name, content.decode(), sha256(content).digest())
    return list(found.values())


async def migrate(connection: "Connection", folder: Path = FOLDER) -> list[str]:
    """Bring the database up to date and return the names of the files that were applied now.

    Raises MigrationError when an applied file was edited, is gone, or a new one has a lower number, and when
    another migration holds the lock for longer than LOCK_DEADLINE_MS, or when the database was made with
    settings that our statements do not bear.
    """
    files = migrations_in(folder)
    await _refuse_unfit(connection)
    async with _lock(connection):
        await connection.execute(_CREATE_HISTORY)
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migrations")
        pending = _pending(files, {row["name"]: row["sha256"] for row in rows})
        for is_concurrent, group in groupby(pending, key=lambda migration: migration.is_concurrent):
            if is_concurrent:
                for migration in group:
                    await _apply_concurrently(connection, migration)
                continue
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_DEADLINE_MS}")
                for migration in group:
                    await connection.execute(migration.text, timeout=STATEMENT_DEADLINE_S)
                    await _remember(connection, migration)
    return [migration.name for migration in pending]


async def _refuse_unfit(connection: "Connection") -> None:
    """A database that somebody else has made may have another encoding, or another idea of a transaction.

    Texts of people would be refused one day; and no statement of ours is tried again after a serialization
    failure, which READ COMMITTED does not know.
    """
    for name, (wanted, mending) in _DATABASE_SETTINGS.items():
        found = await connection.fetchval("SELECT current_setting($1)", name)
        if found != wanted:
            raise MigrationError(f"the database has {name}={found}, not {wanted}: {mending}")


@asynccontextmanager
async def _lock(connection: "Connection") -> AsyncIterator[None]:
    """Hold the lock of migrations, which goes with the connection too.

    Asked for again and again, for who waits for a lock inside of the database is a transaction that an index
    made concurrently waits for: each would wait for the other.
    """
    give_up_s = time.monotonic() + LOCK_DEADLINE_MS / 1000
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
        if time.monotonic() > give_up_s:
            raise MigrationError(
                f"another migration has been at work for {LOCK_DEADLINE_MS // 1000} s: try later"
            )
        await asyncio.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)


async def _apply_concurrently(connection: "Connection", migration: Migration) -> None:
    for statement in migration.statements():
        makes = _MAKES_INDEX.match(statement)
        # IF NOT EXISTS takes one that an interrupted run left half-made for whole; no query would use it.
        if makes and await connection.fetchval(_IS_HALF_MADE, makes[1]):
            await connection.execute(f"DROP INDEX CONCURRENTLY {makes[1]}", timeout=CONCURRENT_DEADLINE_S)
        await connection.execute(statement, timeout=CONCURRENT_DEADLINE_S)
    await _remember(connection, migration)


async def _remember(connection: "Connection", migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)", migration.name, migration.sha256
    )


def _pending(files: Sequence[Migration], applied: Mapping[str, bytes]) -> list[Migration]:
    known = {migration.name for migration in files}
    gone = sorted(set(applied) - known)
    if gone:
        raise MigrationError(f"the database has migrations that this version lacks: {', '.join(gone)}")
    for migration in files:
        if migration.name in applied and applied[migration.name] != migration.sha256:
            raise MigrationError(f"{migration.name} was edited after it was applied; add a new file instead")
    pending = [migration for migration in files if migration.name not in applied]
    newest = max(applied, default="")
    for migration in pending:
        if migration.name < newest:
            raise MigrationError(f"{migration.name} comes before {newest}, which is applied already")
    return pending
