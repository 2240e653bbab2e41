"""`python -m services.migrations`: bring the database of EXCHANGE_DATABASE_DSN up to date.

With EXCHANGE_DATABASE_RIGHTS it also makes the services' users, with the rights of `rights.py` beside it.
"""

import asyncio
import sys

import asyncpg

from exchange.adapters.postgres.pool import open_connection
from exchange.process.config import Settings, SettingsError
from services.migrations.rights import apply_rights
from services.migrations.runner import MigrationError, migrate


async def _run(settings: Settings) -> list[str]:
    """Lines that say what was done."""
    deadline_s = settings.database_deadline_ms / 1000
    connection = await open_connection(settings, statement_deadline_s=deadline_s, writes=True)
    try:
        done = [f"applied {name}" for name in await migrate(connection)]
        if settings.database_rights:
            done.append(f"users with their rights: {', '.join(await apply_rights(connection))}")
        return done
    finally:
        await connection.close(timeout=deadline_s)


def main() -> int:
    """Apply what is pending; 0 when the database is up to date, 1 with a reason when it is not."""
    try:
        done = asyncio.run(_run(Settings.load()))
    except (MigrationError, SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"migrations: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print("\n".join(done) or "nothing to apply")
    return 0


if __name__ == "__main__":
    sys.exit(main())
