"""Keeps child processes alive: one that dies is started again on the same port and folder."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from local.disk import is_full_disk
from local.servers import ManagedProcess, ServerError

__all__ = ["KeptProcess", "Started", "StartedT"]

logger = logging.getLogger(__name__)
_BACKOFF_S_MIN = 0.2
_BACKOFF_S_MAX = 10.0
_LIVED_LONG_S = 30.0
_STOP_DEADLINE_S = 12.0


class Started(Protocol):
    """What starting a child gives: each server's own object, with its address, or a service's."""

    @property
    def process(self) -> ManagedProcess:
        """The child."""
        ...


StartedT = TypeVar("StartedT", bound=Started)


class KeptProcess(Generic[StartedT]):
    """A component that owns one child. `start_child` starts it and returns when it is ready.

    `started` is what it gave the last time; there is none before `start`. The child's pid stands in
    `pid_folder`/<name>.pid for those who look from outside.
    """

    def __init__(self, name: str, pid_folder: Path, start_child: Callable[[], Awaitable[StartedT]]) -> None:
        self.name = name
        self._pid_file = pid_folder / f"{name}.pid"
        self._start_child = start_child
        self.started: StartedT
        self._child: ManagedProcess | None = None
        self._problem: str | None = "starting"

    async def start(self) -> None:
        """Start the child. Raises ServerError."""
        self.started = await self._start_child()
        self._child = self.started.process
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.write_text(f"{self._child.pid}\n")
        self._problem = None

    async def run(self) -> None:
        """Wait for the child's end and start it again, with growing pauses while it will not stay."""
        pause_s = _BACKOFF_S_MIN
        while True:
            assert self._child is not None, "start comes before run"
            began = time.monotonic()
            code = await self._child.wait()
            self._problem = f"ended with code {code}"
            logger.warning("%s ended with code %d; starting it again", self.name, code)
            if time.monotonic() - began > _LIVED_LONG_S:
                pause_s = _BACKOFF_S_MIN
            while self._problem is not None:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _BACKOFF_S_MAX)
                try:
                    await self.start()
                except ServerError as error:
                    if is_full_disk(error):
                        raise  # No pause helps, and every part would say the same.
                    logger.warning("%s does not start: %s", self.name, error)

    async def stop(self) -> None:
        """Stop the child politely, then firmly."""
        self._pid_file.unlink(missing_ok=True)
        if self._child is not None:
            await self._child.stop(_STOP_DEADLINE_S)

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the child runs."""
        return {self.name: self._problem}
