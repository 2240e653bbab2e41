"""Trying again what may pass by itself, with growing random pauses: for ever, unless its owner gives up.

Nothing is lost meanwhile: logs, tables and queues keep what was not dealt with.
"""

import asyncio
import logging
import time
from types import TracebackType
from typing import Any, Final, cast

from prometheus_client import Counter
from tenacity import RetryCallState, stop_never, wait_random_exponential
from tenacity.stop import stop_base

__all__ = ["Attempts", "Patience"]

logger = logging.getLogger(__name__)

WAIT_S: Final = 0.1
WAIT_S_MAX: Final = 3.0
# Errors that pass by themselves in nearly every start (`passing`) are no warning before so many in a row.
PASSING_ATTEMPTS: Final = 8


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
        passing: tuple[type[BaseException], ...] = (),
    ) -> None:
        """Only `errors` are tried again; each such failure is logged under `name` and counted.

        `passing`: those of them that a start brings with it, told as information at first.
        """
        self.name = name
        self.problem: str | None = "not started"
        self._errors = errors
        self._failures_total = failures_total
        self._give_up = give_up
        self._log_level = log_level
        self._passing = passing

    def attempts(self) -> "Attempts":
        """Attempts for `async for`, until one works. Other errors, and the last one, are raised at once."""
        return Attempts(self, self._errors)

    def worked(self) -> None:
        """Say that all is well."""
        self.problem = None

    def gives_up(self, state: RetryCallState) -> bool:
        """Whether the failure that `state` tells of was the last one."""
        return bool(self._give_up(state))

    def note(self, error: BaseException, attempt_number: int) -> None:
        """Tell of a failure that is going to be tried again."""
        self.problem = f"{type(error).__name__}: {error}"
        if self._failures_total is not None:
            self._failures_total.inc()
        is_usual = isinstance(error, self._passing) and attempt_number <= PASSING_ATTEMPTS
        level = logging.INFO if is_usual else self._log_level
        logger.log(level, "%s: attempt %d failed: %s", self.name, attempt_number, self.problem)


class Attempts:
    """One way to a success: each attempt is this object itself, as a context manager.

    A part that follows a log comes here for every gulp, and nearly always its first attempt works. So nothing
    of tenacity is made before something fails: its objects refer to each other in circles, and one for each
    gulp was what full collections had to look for (ADR 0023).
    """

    __slots__ = ("_error", "_errors", "_has_begun", "_patience", "_started_s", "_state")

    def __init__(self, patience: Patience, errors: tuple[type[BaseException], ...]) -> None:
        self._patience = patience
        self._errors = errors
        self._started_s = time.monotonic()
        self._has_begun = False
        # What the last attempt failed with; None when it worked.
        self._error: BaseException | None = None
        self._state: RetryCallState | None = None

    def __aiter__(self) -> "Attempts":
        return self

    async def __anext__(self) -> "Attempts":
        error, self._error = self._error, None
        if error is not None:
            await asyncio.sleep(self._pause_s(error))
        elif self._has_begun:
            raise StopAsyncIteration
        self._has_begun = True
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, self._errors):
            return False
        state = self._failed(error)
        if self._patience.gives_up(state):
            return False
        self._patience.note(error, state.attempt_number)
        self._error = error
        return True

    def _failed(self, error: BaseException) -> RetryCallState:
        """What tenacity's stops and waits are asked with."""
        if self._state is None:
            # They look at numbers of attempts and times alone, so the function that is retried may be None.
            self._state = RetryCallState(cast(Any, None), None, (), {})
            self._state.start_time = self._started_s
        else:
            self._state.prepare_for_next_attempt()
        self._state.set_exception((type(error), error, error.__traceback__))
        return self._state

    def _pause_s(self, error: BaseException) -> float:
        assert self._state is not None, f"{error!r} was noted"
        wait = wait_random_exponential(multiplier=WAIT_S, max=WAIT_S_MAX)
        pause_s = wait(self._state)
        # The error's frames hold this object: no circle is left behind.
        self._state.outcome = None
        return pause_s
