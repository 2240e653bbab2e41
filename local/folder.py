"""The data folder of a local exchange: made, locked to one owner, told apart by mode.

Its lock ends with the process that took it. Who that is stands in the lock's file, for those who come second.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from local.calling import again
from local.listening import PORT_DEFAULT, free_after
from local.servers import ServerError
from local.servers.holding import try_lock

__all__ = ["ANOTHER_VERSION", "DataFolder", "Owner"]

# What to do about tables that this version does not know.
ANOTHER_VERSION: Final = ": go back to the version that made the folder, or start anew with another DATA_DIR="

# An owner that was killed is seen as running for a moment more.
_KILLED_DEADLINE_S: Final = 2.0
# One that is dead, or out of sight, lets go of the lock with the last of its memory.
_DEAD_DEADLINE_S: Final = 15.0
# All that a stop may take: components, then servers, each with a deadline of its own.
_STOPPING_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05
_RECORD_SIZE_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has the folder. `created` is in seconds since the epoch, as psutil tells it."""

    pid: int
    created: float
    command: str
    port: int
    stopping: bool

    def is_seen(self) -> bool:
        """Whether the process lives, as far as can be seen from here: not from another container."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 0.05
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def __str__(self) -> str:
        where = f" on port {self.port}" if self.port else ""
        sight = f"process {self.pid}" if self.is_seen() else f"process {self.pid}, out of sight from here"
        return f"{self.command}{where} ({sight})"


class DataFolder:
    """A folder that holds all state of one local exchange. Make it with `take`."""

    def __init__(self, path: Path, mode: str, lock: int, owner: Owner) -> None:
        self.path = path
        self._lock = lock
        self._owner = owner
        # The two modes keep their logs in different places: one database must not follow both.
        self.state = path / mode
        self.state.mkdir(exist_ok=True)
        self.run = path / "run"
        self.run.mkdir(exist_ok=True)
        for stale in self.run.glob("*.pid"):
            stale.unlink()
        self._tell(owner)

    @classmethod
    async def take(
        cls, path: Path, mode: str, command: str, port: int = 0, on_wait: Callable[[str], None] | None = None
    ) -> "DataFolder":
        """Make and lock the folder, for `command` (`make run`), which is to listen on `port` (0: on none).

        Waits for an exchange that is about to end. Raises ServerError, with what to do, when another lives
        there, and when the folder cannot be used.
        """
        with _explained(path):
            resolved = path.resolve()
            if resolved.exists() and not resolved.is_dir():
                raise ServerError(f"DATA_DIR={path} is no folder: name one that is, or a new one")
            resolved.mkdir(parents=True, exist_ok=True)
            lock = os.open(resolved / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await _until_locked(lock, path, command, on_wait)
            me = psutil.Process()
            with _explained(path):
                return cls(resolved, mode, lock, Owner(me.pid, me.create_time(), command, port, False))
        except BaseException:
            os.close(lock)
            raise

    def stopping(self) -> None:
        """Tell those who wait for the folder that it will soon be free."""
        self._tell(replace(self._owner, stopping=True))

    def release(self) -> None:
        """Let go before the process ends: for tests."""
        os.close(self._lock)

    def _tell(self, owner: Owner) -> None:
        # What it says is for people: a full disk is told where it does harm.
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, json.dumps(asdict(owner)).encode(), 0)


async def _until_locked(lock: int, path: Path, command: str, on_wait: Callable[[str], None] | None) -> None:
    began, told = time.monotonic(), False
    while not try_lock(lock, path):
        owner = _owner(lock)
        waited_s = time.monotonic() - began
        if waited_s >= _patience_s(owner):
            raise ServerError(_in_use(path, owner, command))
        if not told and on_wait is not None and owner is not None and owner.stopping:
            on_wait(f"waiting for {owner}, which is stopping ...")
            told = True
        await asyncio.sleep(_POLL_S)


def _in_use(path: Path, owner: Owner | None, command: str) -> str:
    way_out = f"Stop that one, then `{command}` again"
    if not command.endswith(" rebuild"):
        port = free_after(owner.port if owner is not None and owner.port else PORT_DEFAULT)
        beside = again(command, port=port, data_dir=f"{path}-2")
        way_out = f"Stop that one, or start this one beside it, with a folder and a port of its own: {beside}"
    return f"{path} belongs to an exchange that is running: {owner or 'unknown'}. {way_out}"


def _patience_s(owner: Owner | None) -> float:
    if owner is None or not owner.is_seen():
        return _DEAD_DEADLINE_S
    return _STOPPING_DEADLINE_S if owner.stopping else _KILLED_DEADLINE_S


def _owner(lock: int) -> Owner | None:
    """What the file says, which another process may be writing just now."""
    try:
        return Owner(**json.loads(os.pread(lock, _RECORD_SIZE_BYTES_MAX, 0)))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what is wrong with a folder in words that help."""
    try:
        yield
    except OSError as error:
        raise ServerError(
            f"DATA_DIR={path} cannot be used: {os.strerror(error.errno or 0)} ({error.filename}). Choose a "
            "folder that you may write to, e.g. DATA_DIR=~/exchange-data"
        ) from None
