"""Promises about migration files that need no database."""

from pathlib import Path

import pytest

from services.migrations.runner import FOLDER, Migration, MigrationError, migrations_in


def test_files_of_the_project_are_numbered_without_gaps() -> None:
    names = [migration.name for migration in migrations_in(FOLDER)]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_number_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0001_b.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="same number"):
        migrations_in(tmp_path)


def test_file_with_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "first.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="NNNN_name"):
        migrations_in(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE orders ADD COLUMN x int",
        "CREATE INDEX CONCURRENTLY half ON orders (user_id)",
        "CREATE INDEX half ON orders (user_id)",
        "DROP INDEX CONCURRENTLY half",
    ],
)
def test_a_concurrent_file_has_only_what_can_be_begun_anew(text: str) -> None:
    migration = Migration("0001_a.sql", f"-- concurrently: no\n{text};\n", b"")
    with pytest.raises(MigrationError, match="more than indexes"):
        migration.statements()


def test_concurrent_files_of_the_project_can_be_begun_anew() -> None:
    concurrent = [migration for migration in migrations_in(FOLDER) if migration.is_concurrent]
    assert all(migration.statements() for migration in concurrent)
    assert [migration.name for migration in concurrent] == [
        "0008_history_by_time.sql",
        "0012_prevented_matches_by_order.sql",
        "0018_orders_by_list.sql",
    ]
