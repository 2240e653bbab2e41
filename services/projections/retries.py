"""What projections try again, and for how long: only what may pass by itself."""

from typing import Final

import asyncpg
from prometheus_client import Counter
from tenacity import stop_after_delay

from exchange.ports.world import LogError
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.patience import Patience

__all__ = ["RETRYABLE", "RETRY_S_MAX", "patience"]

RETRY_S_MAX: Final = 60.0
RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    LogError,
    asyncpg.UndefinedTableError,  # the migrations have not run yet
)


def patience(name: str, failures_total: Counter | None = None) -> Patience:
    """The attempts of one projection; after RETRY_S_MAX the last error is raised."""
    return Patience(name, RETRYABLE, failures_total, give_up=stop_after_delay(RETRY_S_MAX))
