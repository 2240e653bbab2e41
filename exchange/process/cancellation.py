"""Keeping a promise of asyncio that a library breaks: a cancelled task ends.

redis-py writes with `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes as
the write completes (CPython issue 86296). A loop over Redis would then run on for ever.
"""

import asyncio

__all__ = ["raise_if_cancelled"]


def raise_if_cancelled() -> None:
    """Raise CancelledError if the current task has been asked to end. Call it after awaiting redis-py."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
