"""Trying again what may pass by itself, with growing random pauses: for ever, unless its owner gives up.

Nothing is lost meanwhile: logs, tables and queues keep what was not dealt with.
"""

import logging
from typing import Final

from prometheus_client import Counter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_never,
    wait_random_exponential,
)
from tenacity.stop import stop_base

__all__ = ["Patience"]

logger = logging.getLogger(__name__)

WAIT_S: Final = 0.1
WAIT_S_MAX: Final = 3.0


class Patience:
    """The attempts of one part, and what is wrong with it at the moment, in words.

    `problem` is what readiness tells: "not started", then what the last attempt failed with; None once its
    owner said `worked`. The owner may put words of its own there.
    """

    def __init__(
        self,
        name: str,
        errors: tuple[type[BaseException], ...],
        failures_total: Counter | None = None,
        *,
        give_up: stop_base = stop_never,
        log_level: int = logging.WARNING,
    ) -> None:
        """Only `errors` are tried again; each such failure is logged under `name` and counted."""
        self.name = name
        self.problem: str | None = "not started"
        self._errors = errors
        self._failures_total = failures_total
        self._give_up = give_up
        self._log_level = log_level

    def attempts(self) -> AsyncRetrying:
        """Attempts for `async for`, until one works. Other errors, and the last one, are raised at once."""
        return AsyncRetrying(
            retry=retry_if_exception_type(self._errors),
            stop=self._give_up,
            wait=wait_random_exponential(multiplier=WAIT_S, max=WAIT_S_MAX),
            before_sleep=self._note,
            reraise=True,
        )

    def worked(self) -> None:
        """Say that all is well."""
        self.problem = None

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.problem = f"{type(error).__name__}: {error}"
        if self._failures_total is not None:
            self._failures_total.inc()
        logger.log(
            self._log_level, "%s: attempt %d failed: %s", self.name, state.attempt_number, self.problem
        )
