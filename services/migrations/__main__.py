"""`python -m services.migrations`: bring the database of EXCHANGE_DATABASE_DSN up to date."""

import asyncio
import sys

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from exchange.process.config import Settings, SettingsError
from services.migrations.runner import MigrationError, migrate


async def _run(settings: Settings) -> list[str]:
    connection = await asyncpg.connect(
        settings.database_dsn.get_secret_value(),
        timeout=settings.database_deadline_ms / 1000,
        command_timeout=settings.database_deadline_ms / 1000,
        target_session_attrs=SessionAttribute.read_write,
    )
    try:
        return await migrate(connection)
    finally:
        await connection.close(timeout=settings.database_deadline_ms / 1000)


def main() -> int:
    """Apply what is pending; 0 when the database is up to date, 1 with a reason when it is not."""
    try:
        applied = asyncio.run(_run(Settings.load()))
    except (MigrationError, SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"migrations: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")
    return 0


if __name__ == "__main__":
    sys.exit(main())
