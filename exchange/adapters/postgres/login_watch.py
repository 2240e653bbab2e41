"""Ends a process whose password the database does not take any more.

A password in a variable is read once. After a rotation the open connections go on, and new ones are refused:
the process has to start again, with the settings as they are then. It waits a while, for a database that is
being restored may refuse for a moment, and an order service without a database can still place and cancel for
who is known. Where logins are files (`Settings.logins_dir`) each connection has the login of now, and no end
is needed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

__all__ = ["LoginRefusedError", "LoginWatch"]

REFUSED_S_MAX: Final = 60.0
LOOK_EVERY_S: Final = 1.0


class LoginRefusedError(Exception):
    """The database has refused our name and password for REFUSED_S_MAX."""


class LoginWatch:
    """Makes the connections of a process's pools, and remembers since when none is let in."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, *, ends_process: bool = True) -> None:
        self._clock_s = clock_s
        self._ends_process = ends_process
        self._refused_since_s: float | None = None

    async def connect(self, *arguments: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """`asyncpg.connect`, for a pool to call. Raises what that raises."""
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*arguments, **options)
        except asyncpg.InvalidAuthorizationSpecificationError:
            if self._refused_since_s is None:
                self._refused_since_s = self._clock_s()
            raise
        self._refused_since_s = None
        return connection

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel the block when nobody was let in for too long. Raises LoginRefusedError then."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(), name="database login")
                try:
                    yield
                finally:
                    watching.cancel()
        except BaseExceptionGroup as group_error:
            # What the block raised is nobody else's business: as if there had been no watch.
            if len(group_error.exceptions) == 1:
                raise group_error.exceptions[0] from None
            raise

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            since_s = self._refused_since_s
            if not self._ends_process:
                continue
            if since_s is not None and self._clock_s() - since_s >= REFUSED_S_MAX:
                raise LoginRefusedError(
                    f"the database has refused our password for {REFUSED_S_MAX:.0f} s: ending, to start "
                    "again with the settings as they are now"
                )
