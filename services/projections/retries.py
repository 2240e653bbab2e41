"""How projections try again: only what may pass by itself, with growing random pauses, for a bounded time."""

from collections.abc import Callable
from typing import Final

import asyncpg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from exchange.connections import CONNECTION_ERRORS
from exchange.ports import LogError

__all__ = ["RETRYABLE", "RETRY_S_MAX", "attempts", "problem_of"]

RETRY_WAIT_S: Final = 0.1
RETRY_WAIT_S_MAX: Final = 3.0
RETRY_S_MAX: Final = 60.0
RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    LogError,
    asyncpg.UndefinedTableError,  # the migrations have not run yet
)


def attempts(before_sleep: Callable[[RetryCallState], None]) -> AsyncRetrying:
    """Attempts for `async for`; after RETRY_S_MAX the last error is raised, others are raised at once."""
    return AsyncRetrying(
        retry=retry_if_exception_type(RETRYABLE),
        stop=stop_after_delay(RETRY_S_MAX),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_S_MAX),
        before_sleep=before_sleep,
        reraise=True,
    )


def problem_of(state: RetryCallState) -> str:
    """What went wrong in the attempt, in words."""
    error = state.outcome.exception() if state.outcome else None
    return f"{type(error).__name__}: {error}"
