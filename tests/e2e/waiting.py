"""Waiting for what is true soon: projections follow the engine within moments, not at once."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_S = 60.0
POLL_S = 0.05

__all__ = ["eventually", "eventually_async"]


def eventually(check: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """The result of `check` as soon as it raises no AssertionError; its last one after the deadline."""
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() >= give_up:
                raise
        time.sleep(POLL_S)


async def eventually_async(check: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """As `eventually`, for a check of what other tasks of this event loop have collected."""
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() >= give_up:
                raise
        await asyncio.sleep(POLL_S)
