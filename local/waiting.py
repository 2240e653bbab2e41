"""The wait until an exchange is ready: patient on a busy machine, and never silent."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from local.servers import ServerError

__all__ = ["READY_DEADLINE_S", "until_ready"]

# On a machine with much else to do a child's imports alone have taken more than two minutes.
READY_DEADLINE_S: Final = 600.0
_WORD_EVERY_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.05


async def until_ready(
    readiness: Callable[[], Mapping[str, str | None]],
    say: Callable[[str], None],
    *,
    deadline_s: float = READY_DEADLINE_S,
    word_every_s: float = _WORD_EVERY_S,
) -> None:
    """Wait until no part has a problem, and say now and then what is waited for.

    Raises ServerError with what is missing, after `deadline_s`.
    """
    began_s = said_s = time.monotonic()
    # Readiness is a question to many parts, not one event to wait for.
    while missing := {part: problem for part, problem in readiness().items() if problem is not None}:
        now_s = time.monotonic()
        if now_s - began_s >= deadline_s:
            raise ServerError(
                f"not ready after {deadline_s:.0f} s, try again: {_listed(missing)}; the log has more"
            )
        if now_s - said_s >= word_every_s:
            said_s = now_s
            say(f"waiting for {_listed(missing)} ...")
        await asyncio.sleep(_LOOK_EVERY_S)


def _listed(missing: Mapping[str, str]) -> str:
    return "; ".join(f"{part}: {problem}" for part, problem in missing.items())
