"""Trying again for ever, slower and slower: what is to be written waits on the log, where nothing is lost."""

import logging
from typing import Final

from prometheus_client import Counter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from exchange.ports import HistoryError, LogError

__all__ = ["Retries"]

logger = logging.getLogger(__name__)
_WAIT_S: Final = 0.1
_WAIT_S_MAX: Final = 5.0
_failures_total = Counter(
    "exchange_market_history_failures_total", "Failures after which it tries again.", ["follower"]
)


class Retries:
    """Of one follower. `problem`: what the last attempt failed with, None once it has worked."""

    def __init__(self, follower: str) -> None:
        self._follower = follower
        self.problem: str | None = "not started"

    def attempts(self) -> AsyncRetrying:
        """Attempts for `async for`, until one ends without an error that the next one may not have."""
        return AsyncRetrying(
            retry=retry_if_exception_type((HistoryError, LogError, OSError, TimeoutError)),
            wait=wait_random_exponential(multiplier=_WAIT_S, max=_WAIT_S_MAX),
            before_sleep=self._note_failure,
        )

    def worked(self) -> None:
        """Say that all is well."""
        self.problem = None

    def _note_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.problem = f"{type(error).__name__}: {error}"
        _failures_total.labels(self._follower).inc()
        logger.warning("%s: attempt %d failed: %s", self._follower, state.attempt_number, self.problem)
