"""Promises of the migrations on a real database."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from services.migrations import MigrationError, migrate, runner
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


CONCURRENT = """-- concurrently: for a test
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS assets_by_decimals ON assets (decimals);
CREATE INDEX CONCURRENTLY IF NOT EXISTS deposits_by_time ON deposits (time_ms);
"""
_ASSET = "INSERT INTO assets VALUES ($1, $2, $3)"


async def is_valid(connection: asyncpg.Connection, name: str) -> bool | None:
    statement = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
    found: bool | None = await connection.fetchval(statement, name)
    return found


async def test_replicas_that_start_together_make_an_index_concurrently_once(
    database_dsn: str, folder: Path
) -> None:
    """Who waits for his turn must not be one for whom the index waits."""
    (folder / "0002_index.sql").write_text(CONCURRENT)
    (folder / "0003_more.sql").write_text("CREATE TABLE more (id int)")
    applied = await asyncio.gather(*(run(database_dsn, folder) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_ledger.sql", "0002_index.sql", "0003_more.sql"]]


async def test_an_index_left_half_made_is_made_anew(database_dsn: str, folder: Path) -> None:
    await run(database_dsn, folder)
    connection = await asyncpg.connect(database_dsn)
    try:
        for asset_id, code in ((1, "BTC"), (2, "USDT")):
            await connection.execute(_ASSET, asset_id, code, 8)
        (folder / "0002_index.sql").write_text(CONCURRENT)
        with pytest.raises(asyncpg.UniqueViolationError):
            await run(database_dsn, folder)
        assert await is_valid(connection, "assets_by_decimals") is False
        await connection.execute("UPDATE assets SET decimals = 6 WHERE asset_id = 2")
        assert await run(database_dsn, folder) == ["0002_index.sql"]
        assert await is_valid(connection, "assets_by_decimals") is True
        assert await is_valid(connection, "deposits_by_time") is True
    finally:
        await connection.close()


async def test_rows_are_written_while_an_index_is_made(database_dsn: str, folder: Path) -> None:
    await run(database_dsn, folder)
    (folder / "0002_index.sql").write_text(CONCURRENT)
    slow, quick = await asyncpg.connect(database_dsn), await asyncpg.connect(database_dsn)
    try:
        written = slow.transaction()
        await written.start()
        await slow.execute(_ASSET, 1, "BTC", 8)
        making = asyncio.create_task(run(database_dsn, folder))
        while await is_valid(quick, "assets_by_decimals") is None:
            await asyncio.sleep(0.01)
        assert not making.done(), "it waits for the slow one"
        await quick.execute(_ASSET, 2, "USDT", 6, timeout=10)
        await written.commit()
        assert await making == ["0002_index.sql"]
    finally:
        await quick.close()
        await slow.close()


async def test_a_second_migration_gives_up_on_a_first_that_does_not_end(
    database_dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_DEADLINE_MS", 200)
    first = await asyncpg.connect(database_dsn)
    try:
        await first.execute("SELECT pg_advisory_lock($1)", runner._LOCK_KEY)
        with pytest.raises(MigrationError, match="another migration"):
            await run(database_dsn, folder)
    finally:
        await first.close()
    assert await run(database_dsn, folder) == ["0001_ledger.sql"]
