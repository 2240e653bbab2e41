"""Promises of the two commands for operators: migrate and reconcile."""

import asyncio
import os
import sys

import asyncpg
import pytest

from local.servers import free_port

pytestmark = pytest.mark.integration


async def run(module: str, dsn: str) -> tuple[int | None, str]:
    """Exit code and everything printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env={**inherited, "EXCHANGE_DATABASE_DSN": dsn},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_migrations_and_reconciliation_run_from_the_command_line(empty_database_dsn: str) -> None:
    code, output = await run("services.migrations", empty_database_dsn)
    assert (code, "applied 0001_ledger.sql" in output) == (0, True)
    assert await run("services.migrations", empty_database_dsn) == (0, "nothing to apply\n")
    code, output = await run("services.projections.ledger.reconcile", empty_database_dsn)
    assert (code, "0 breaches" in output) == (0, True)

    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute("INSERT INTO balances VALUES (1001, 1, 5, 0, 0)")
    await connection.close()
    code, output = await run("services.projections.ledger.reconcile", empty_database_dsn)
    assert code == 1
    assert "BREACH I1 balances are the sum of their entries: user 1001 asset 1" in output


async def test_database_that_is_away_is_named_without_a_traceback() -> None:
    dsn = f"postgresql://exchange:secret@127.0.0.1:{free_port()}/postgres"
    for module, code in (
        ("services.migrations", 1),
        ("services.projections.ledger.reconcile", 2),
        ("services.projections.ledger.candle_backfill", 1),
    ):
        answer, output = await run(module, dsn)
        assert answer == code
        assert "Traceback" not in output
        assert "secret" not in output
