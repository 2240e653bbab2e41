"""Each service is a user of its own in PostgreSQL, with the rights that its code uses (ADR 0041).

Statements are asked of a real server by EXPLAIN, which checks rights and changes nothing.
"""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.memory.log import MemoryLog
from exchange.process.components import Resources
from exchange.process.config import Settings
from services.migrations import migrate, rights
from services.migrations.rights import RIGHTS, apply_rights, user_of
from services.projections.ledger.projection import LedgerProjection
from tests.event_streams import RandomTrading
from tests.integration.projections.conftest import Running
from tests.integration.rights.statements import MAINS, Statement, statements_by_service

pytestmark = pytest.mark.integration
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Statements that a process brings in and never runs: service -> how they begin -> why.
_NEVER_RUN: Final = {
    "order": {
        "INSERT INTO data_keys": "it opens secrets; the user service seals them, and makes the keys for it",
    },
    "notifier": {
        "INSERT INTO data_keys": "it opens the keys of webhooks, which the user service seals",
    },
    "statements": {
        "SELECT o.order_id": "reports of orders are the user service's",
        "SELECT t.*": "and so are those of fills",
    },
}
# Nobody's but the owner's: who runs migrations, rebuilds and repairs.
_OWNERS: Final = {"schema_migrations"}
# Whoever is here writes nothing at all.
_ONLY_READ: Final = ("market-data", "statements")


@pytest.fixture(scope="module")
def found() -> dict[str, list[Statement]]:
    return statements_by_service()


@pytest.fixture
async def statements(owner: Connection, found: dict[str, list[Statement]]) -> dict[str, list[Statement]]:
    """Those that the owner can ask as they are; the others are parts that are put together elsewhere."""
    parts = set()
    for statement in {each for of_service in found.values() for each in of_service if each.is_whole}:
        try:
            await owner.execute(f"EXPLAIN (GENERIC_PLAN) {statement.text}")
        except (asyncpg.PostgresSyntaxError, asyncpg.UndefinedTableError):
            parts.add(statement)
    return {
        service: [replace(each, is_whole=False) if each in parts else each for each in of_service]
        for service, of_service in found.items()
    }


@pytest.fixture
def prefix() -> str:
    """Users belong to the whole server, which other tests may share."""
    return f"rights_{os.getpid()}_"


@pytest.fixture
async def owner(database_dsn: str, prefix: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_dsn)
    try:
        await migrate(connection)
        users = await apply_rights(connection, prefix)
        yield connection
        await connection.execute("RESET ROLE")
        for user in users:
            await connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
    finally:
        await connection.close()


async def refused(owner: Connection, user: str, statement: str) -> str | None:
    """What PostgreSQL says when this user asks for a statement's plan; None where it may run it."""
    await owner.execute(f"SET ROLE {user}")
    try:
        await owner.execute(f"EXPLAIN (GENERIC_PLAN) {statement}")
    except asyncpg.InsufficientPrivilegeError as error:
        return str(error)
    finally:
        await owner.execute("RESET ROLE")
    return None


async def test_every_statement_of_a_service_is_allowed_to_its_user(
    owner: Connection, prefix: str, statements: dict[str, list[Statement]]
) -> None:
    problems, asked = [], 0
    for service in MAINS:
        for statement in statements[service]:
            if not statement.is_whole or statement.begins(_NEVER_RUN.get(service, {})):
                continue
            asked += 1
            reason = await refused(owner, user_of(service, prefix), statement.text)
            if reason:
                problems.append(f"{service}: {statement.module}: {reason}: {statement.text[:80]}")
    assert problems == [], "\n".join(problems)
    assert asked > 150, "the statements are found at all"


async def test_nobody_has_a_right_that_its_code_does_not_use(
    owner: Connection, prefix: str, statements: dict[str, list[Statement]]
) -> None:
    unused = []
    for service in MAINS:
        user, tables = user_of(service, prefix), RIGHTS[service]
        for table, rights_there in tables.items():
            mentions = [each for each in statements[service] if each.mentions(table)]
            for right in re.split(r", (?![^(]*\))", rights_there):
                await owner.execute(f"REVOKE {right} ON {table} FROM {user}")
                is_used = any([
                    # With holes it cannot be asked: then it is enough that its words speak of the right.
                    await refused(owner, user, each.text) if each.is_whole else each.speaks_of(right, table)
                    for each in mentions
                ])  # fmt: skip
                await owner.execute(f"GRANT {right} ON {table} TO {user}")
                if not is_used:
                    unused.append(f"{service}: {right} on {table}")
    assert unused == [], str(unused)


async def test_every_table_is_somebody_s_or_the_owner_s_alone(owner: Connection) -> None:
    rows = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    given = {table for tables in RIGHTS.values() for table in tables}
    assert {row["relname"] for row in rows} == given | _OWNERS


@pytest.mark.parametrize("service", sorted(RIGHTS))
async def test_what_nobody_may_do(owner: Connection, prefix: str, service: str) -> None:
    user = user_of(service, prefix)
    for table in ("ledger_entries", "trades", "audit_log", "deposits"):
        assert await refused(owner, user, f"DELETE FROM {table}"), table
    for table in ("ledger_entries", "trades", "audit_log"):
        assert await refused(owner, user, f"UPDATE {table} SET time_ms = 0"), table
    if service != "projections":
        assert await refused(owner, user, "UPDATE balances SET available_atoms = 1")
        assert await refused(owner, user, "INSERT INTO deposits SELECT * FROM deposits")
    if service in _ONLY_READ:
        assert not re.search("INSERT|UPDATE|DELETE", " ".join(RIGHTS[service].values()))
    await owner.execute(f"SET ROLE {user}")
    number = "SELECT setval('deposit_ids', 1)" if service != "user" else "SELECT nextval('users_user_id_seq')"
    for statement in (
        "TRUNCATE balances",
        "DROP TABLE balances",
        "CREATE TABLE mine (a int)",
        "SELECT FROM schema_migrations",
        f"ALTER ROLE {user} SUPERUSER",
        "ALTER TABLE trades DISABLE TRIGGER ALL",
        number,
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)
    await owner.execute("RESET ROLE")


async def test_a_right_that_is_not_listed_any_more_is_taken_away(
    owner: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = user_of("market-data", prefix)
    await owner.execute(f"GRANT UPDATE ON balances TO {user}; GRANT USAGE ON SEQUENCE deposit_ids TO {user}")
    monkeypatch.setattr(rights, "RIGHTS", {**RIGHTS, "market-data": {"markets": "SELECT"}})
    await apply_rights(owner, prefix)
    assert await refused(owner, user, "UPDATE balances SET available_atoms = 1")
    assert await refused(owner, user, "SELECT * FROM trades")
    assert await refused(owner, user, "SELECT * FROM markets") is None
    await owner.execute(f"SET ROLE {user}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("SELECT nextval('deposit_ids')")
    await owner.execute("RESET ROLE")


async def test_users_log_in_by_token_where_there_is_such_a_role(owner: Connection, prefix: str) -> None:
    """On Aurora who is a member of rds_iam has no password, and is let in with a token."""
    if await owner.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'rds_iam'"):
        pytest.skip("another test has made it")
    async with owner.transaction():
        await owner.execute("CREATE ROLE rds_iam")
        await apply_rights(owner, prefix)
        for service in RIGHTS:
            is_member = "SELECT pg_has_role($1, 'rds_iam', 'MEMBER')"
            assert await owner.fetchval(is_member, user_of(service, prefix))
        await owner.execute("DROP ROLE rds_iam")
        has_password = "SELECT bool_or(rolpassword IS NOT NULL) FROM pg_authid WHERE rolname LIKE $1"
        assert not await owner.fetchval(has_password, f"{prefix}%")


def as_user(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


async def test_the_ledger_is_written_by_the_projections_user_alone(
    owner: Connection, prefix: str, database_dsn: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real statements of a real projection: COPY too, which EXPLAIN does not know."""
    trading = RandomTrading(seed=1)
    trading.run(300)
    records = list(trading.stream.take_records(20))

    async def project_as(service: str) -> None:
        user = user_of(service, prefix)
        await owner.execute(f"ALTER ROLE {user} PASSWORD 'drawn'")
        monkeypatch.setenv("EXCHANGE_DATABASE_DSN", as_user(database_dsn, user, "drawn"))
        monkeypatch.setenv("EXCHANGE_CACHE_URL", valkey_url)
        async with deployed_resources(Settings.load()) as opened:
            log = MemoryLog(lambda: 1)
            writer = await log.writer()
            for record in records:
                await writer.append(record)
            ledger = LedgerProjection(Resources(opened.settings, log, log, opened.database, opened.cache))
            running = Running([ledger])
            await running.start()
            await running.until(lambda: ledger.last_seq >= trading.stream.seq)
            await running.stop()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await project_as("market-data")
    assert await owner.fetchval("SELECT count(*) FROM trades") == 0
    await project_as("projections")
    assert await owner.fetchval("SELECT last_seq FROM positions") == trading.stream.seq
    assert await owner.fetchval("SELECT count(*) FROM trades") > 0
