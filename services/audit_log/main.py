"""`python -m services.audit_log.main verify`: is the chain of the audit log whole?

It runs in a pod of the user service, whose user of the database may read the log.
"""

import asyncio
import sys
from typing import Annotated, Final

import asyncpg
import typer

from exchange.adapters.postgres.pool import open_connection
from exchange.process.config import Settings, SettingsError
from exchange.security.audit_log import AuditFault, AuditHead, verify

__all__ = ["commands"]

_VERIFY_DEADLINE_S: Final = 3_600.0


def _parse_head(text: str) -> AuditHead:
    number, _, digest = text.partition(":")
    try:
        return AuditHead(int(number), bytes.fromhex(digest))
    except ValueError:
        raise typer.BadParameter("expected ID:HASH, as verify prints it") from None


async def _verify_database(
    settings: Settings, expected: AuditHead | None
) -> tuple[AuditHead, list[AuditFault]]:
    deadline_s = settings.database_deadline_ms / 1000
    connection = await open_connection(settings, statement_deadline_s=deadline_s, writes=False)
    try:
        async with asyncio.timeout(_VERIFY_DEADLINE_S):
            return await verify(connection, expected)
    finally:
        await connection.close(timeout=deadline_s)


def _run_verify(
    expect: Annotated[str | None, typer.Option(help="ID:HASH, as an earlier verify printed it.")] = None,
) -> None:
    """Check the whole chain: 0 and its end when it is intact, 1 and the faults when it is not."""
    expected = None if expect is None else _parse_head(expect)
    try:
        head, faults = asyncio.run(_verify_database(Settings.load(), expected))
    except (SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"audit log: {error or type(error).__name__}", file=sys.stderr)
        raise typer.Exit(2) from None
    for fault in faults:
        print(f"row {fault.id}: {fault.what}", file=sys.stderr)
    if faults:
        raise typer.Exit(1)
    print(f"intact {head}")


def commands() -> typer.Typer:
    """The command line."""
    app = typer.Typer(help="The audit log.", add_completion=False)
    app.command("verify")(_run_verify)
    # A callback keeps "verify" a word of the command line although it is the only one.
    app.callback()(lambda: None)
    return app


if __name__ == "__main__":
    commands()()
