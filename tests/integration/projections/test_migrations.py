"""Promises of the migrations on a real database."""

import asyncio
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.migrations import MigrationError, migrate, runner
from services.migrations.runner import FOLDER

pytestmark = pytest.mark.integration


@pytest.fixture
def database_dsn(empty_database_dsn: str) -> str:
    """Nothing has been applied."""
    return empty_database_dsn


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


async def test_database_that_was_made_otherwise_is_refused(
    database_dsn: str, postgres_dsn: str, folder: Path
) -> None:
    name = f"latin_{uuid.uuid4().hex[:12]}"
    maintenance = await asyncpg.connect(postgres_dsn)
    try:
        await maintenance.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        with pytest.raises(MigrationError, match="server_encoding=LATIN1, not UTF8"):
            await run(urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}")), folder)
        mine = urlsplit(database_dsn).path.removeprefix("/")
        await maintenance.execute(f"ALTER DATABASE {mine} SET default_transaction_isolation = 'serializable'")
        with pytest.raises(MigrationError, match="default_transaction_isolation=serializable"):
            await run(database_dsn, folder)
        await maintenance.execute(f"ALTER DATABASE {mine} RESET default_transaction_isolation")
        assert await run(database_dsn, folder) == ["0001_ledger.sql"]
    finally:
        await maintenance.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await maintenance.close()


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


async def test_what_is_only_added_to_is_vacuumed_by_what_is_new(database_dsn: str) -> None:
    """However large the table is: that is what the thresholds of 0009 rest on."""
    connection = await asyncpg.connect(database_dsn)
    told: list[str] = []
    connection.add_log_listener(lambda _, message: told.append(str(message)))
    fill = (
        "INSERT INTO ledger_entries SELECT n, n, n, n % 50 + 1, 1, 1, 1, 'TRADE', 'x' "
        "FROM generate_series($1::bigint, $2::bigint) AS n"
    )
    try:
        await migrate(connection)
        # A row is not seen by all before its commit is on disk, and the tests' server takes its time there.
        await connection.execute("SET synchronous_commit = on")
        await connection.execute(fill, 1, 60_000)
        # Whoever still looks at an older state keeps rows from being seen by all: the next pass marks them.
        for _ in range(60):
            await connection.execute("VACUUM ledger_entries")
            if await connection.fetchval(
                "SELECT relallvisible = relpages FROM pg_class WHERE relname = 'ledger_entries'"
            ):
                break
            await asyncio.sleep(1.0)
        pages = await connection.fetchval("SELECT pg_relation_size('ledger_entries') / 8192")
        await connection.execute(fill, 60_001, 61_000)
        await connection.execute("VACUUM (VERBOSE) ledger_entries")
        (scanned,) = {int(n) for text in told for n in re.findall(r"remain, (\d+) scanned", text)} - {0}
        assert scanned < pages / 10
        for table in ("trades", "ledger_entries"):
            options = await connection.fetchval("SELECT reloptions FROM pg_class WHERE relname = $1", table)
            assert "autovacuum_vacuum_insert_scale_factor=0" in options
    finally:
        await connection.close()
