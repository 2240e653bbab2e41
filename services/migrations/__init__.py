"""The database's schema as numbered files that only ever move forward."""

from services.migrations.runner import MigrationError, migrate

__all__ = ["MigrationError", "migrate"]
