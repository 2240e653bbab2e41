"""Promises of the migrations on a real database."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from services.migrations import MigrationError, migrate
from services.migrations.runner import FOLDER

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "migrations"
    copy.mkdir()
    shutil.copy(FOLDER / "0001_ledger.sql", copy)
    return copy


async def run(dsn: str, folder: Path) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return await migrate(connection, folder)
    finally:
        await connection.close()


async def test_replicas_that_start_together_apply_each_file_once(database_dsn: str, folder: Path) -> None:
    applied = await asyncio.gather(*(run(database_dsn, folder) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_ledger.sql"]]
    assert await run(database_dsn, folder) == []


async def test_edited_file_is_refused(database_dsn: str, folder: Path) -> None:
    await run(database_dsn, folder)
    with (folder / "0001_ledger.sql").open("a") as file:
        file.write("-- one more thought\n")
    with pytest.raises(MigrationError, match="edited"):
        await run(database_dsn, folder)


async def test_missing_and_late_files_are_refused(database_dsn: str, folder: Path) -> None:
    (folder / "0003_later.sql").write_text("CREATE TABLE later (id int)")
    assert await run(database_dsn, folder) == ["0001_ledger.sql", "0003_later.sql"]
    (folder / "0002_between.sql").write_text("CREATE TABLE between_them (id int)")
    with pytest.raises(MigrationError, match="comes before"):
        await run(database_dsn, folder)
    (folder / "0002_between.sql").unlink()
    (folder / "0003_later.sql").unlink()
    with pytest.raises(MigrationError, match="lacks"):
        await run(database_dsn, folder)


async def test_failed_file_leaves_nothing_behind(database_dsn: str, folder: Path) -> None:
    (folder / "0002_bad.sql").write_text("CREATE TABLE half (id int); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(database_dsn, folder)
    (folder / "0002_bad.sql").unlink()
    assert await run(database_dsn, folder) == ["0001_ledger.sql"]
