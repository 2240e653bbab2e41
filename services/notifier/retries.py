"""What the notifier tries again, for ever: whatever may pass by itself."""

from typing import Final

import asyncpg
from prometheus_client import Counter

from exchange.ports.messages import MessageError
from exchange.ports.world import LogError
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.patience import Patience
from services.notifier.notices import UnknownNameError

__all__ = ["RETRYABLE", "patience"]

RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    LogError,
    MessageError,
    asyncpg.UndefinedTableError,  # the migrations have not run yet
    UnknownNameError,  # the ledger has not written what the log begins behind
)

_failures_total = Counter(
    "exchange_notifier_failures_total", "Failures after which the notifier tries again.", ["part"]
)


def patience(part: str) -> Patience:
    """The attempts of one part of the notifier."""
    # The ledger begins at the same moment.
    return Patience(part, RETRYABLE, _failures_total.labels(part), passing=(UnknownNameError,))
