"""How the notifier tries again: for ever, with growing random pauses, on what may pass by itself.

Nothing is lost meanwhile: the logs, the audit log and the queue keep what was not dealt with.
"""

import logging
from typing import Final

import asyncpg
from prometheus_client import Counter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from exchange.connections import CONNECTION_ERRORS
from exchange.message_ports import MessageError
from exchange.ports import LogError
from services.notifier.notices import UnknownNameError

__all__ = ["RETRYABLE", "Patience"]

logger = logging.getLogger(__name__)

RETRY_WAIT_S: Final = 0.2
RETRY_WAIT_S_MAX: Final = 5.0
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


class Patience:
    """The attempts of one part, and what is wrong with it at the moment, in words."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem: str | None = "not started"

    def attempts(self) -> AsyncRetrying:
        """Attempts for `async for`; errors that do not pass by themselves are raised at once."""
        return AsyncRetrying(
            retry=retry_if_exception_type(RETRYABLE),
            wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_S_MAX),
            before_sleep=self._note,
        )

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.problem = f"{type(error).__name__}: {error}"
        _failures_total.labels(self.name).inc()
        logger.warning("%s: attempt %d failed: %s", self.name, state.attempt_number, self.problem)
