"""Applies `NNNN_name.sql` in order, once each; refuses a history that differs from the files.

All pending files run in one transaction under an advisory lock, so that replicas may start together
and a failed file leaves nothing behind.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["Migration", "MigrationError", "migrate", "migrations_in"]

FOLDER: Final = Path(__file__).parent
LOCK_DEADLINE_MS: Final = 60_000
STATEMENT_DEADLINE_S: Final = 600.0
_LOCK_KEY: Final = 0x6D69_6772  # "migr": nobody else takes this one
_NAME: Final = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql", re.ASCII)

_CREATE_HISTORY: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    sha256 bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """The files and the database's history do not fit together; nothing was changed."""


@dataclass(frozen=True)
class Migration:
    """One file: its name, its text, and the SHA-256 of its bytes."""

    name: str
    text: str
    sha256: bytes


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


async def migrate(
    connection: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]",
    folder: Path = FOLDER,
) -> list[str]:
    """Bring the database up to date and return the names of the files that were applied now.

    Raises MigrationError when an applied file was edited, is gone, or a new one has a lower number;
    asyncpg.LockNotAvailableError when another migration holds the lock for too long.
    """
    files = migrations_in(folder)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_DEADLINE_MS}")
        await connection.execute(
            "SELECT pg_advisory_xact_lock($1)", _LOCK_KEY, timeout=LOCK_DEADLINE_MS / 1000 + 5
        )
        await connection.execute(_CREATE_HISTORY)
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migrations")
        pending = _pending(files, {row["name"]: row["sha256"] for row in rows})
        for migration in pending:
            await connection.execute(migration.text, timeout=STATEMENT_DEADLINE_S)
            await connection.execute(
                "INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)",
                migration.name,
                migration.sha256,
            )
    return [migration.name for migration in pending]


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
