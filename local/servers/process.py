"""One child process with a log file, a readiness check and a bounded stop."""

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.servers import holding, leftovers
from local.servers.errors import ServerError

logger = logging.getLogger(__name__)
Progress = Callable[[str], None]
Probe = Callable[[], Awaitable[bool]]

_LAUNCHER = Path(__file__).with_name("launch.py")
_LOG_LIMIT_BYTES = 32 * 1024 * 1024
# How often one who starts is asked: at first often, for many are there at once, and then seldom, for each
# question takes processor from those who start.
_POLL_S_MIN = 0.02
_POLL_S_MAX = 0.25
_POLL_GROWS = 1.3
# Of those nobody waits for: on a full machine they get a third of the processor that another process gets. At
# 10, a ninth, the ledger fell behind by seconds at 1,000 orders a second on two cores (ADR 0063).
GIVES_WAY = 5


def silent(_message: str) -> None:
    """The progress callback of those who want none."""


async def port_answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether something accepts TCP connections on 127.0.0.1:`port`."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    `program` is the file name the running process will have (it identifies leftovers), `marker` a part of
    the command line that no other instance has: the data folder. `uid` None keeps the user.
    """

    argv: Sequence[str]
    program: str
    marker: str
    environment: Mapping[str, str] | None = None
    uid: int | None = None
    working_dir: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # Sent by the kernel when this process dies, however it dies (Linux).
    death_signal: signal.Signals = signal.SIGKILL
    # Called once no process of an earlier run is left in the folder, before the server starts.
    prepare: Callable[[], None] | None = None
    niceness: int = 0


def tied_to_this_process(
    argv: Sequence[str],
    death_signal: signal.Signals,
    uid: int | None = None,
    niceness: int = 0,
    umask: int | None = 0o077,
) -> list[str]:
    """The command line that runs `argv` and has it get `death_signal` when the thread that starts it ends.

    `niceness`: 0, or `GIVES_WAY` for a session of its own that nobody waits for. `uid`, `umask`: None keeps
    this process's own.
    """
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal))]
    kept = [str(-1 if number is None else number) for number in (uid, umask)]
    return [*launcher, *kept, str(niceness), *argv]


class ManagedProcess:
    """A running child in a session and process group of its own, so that Ctrl-C reaches only its owner.

    Linux sends the child its `death_signal` when the thread that started it ends: keep that thread (the
    event loop's) alive for as long as the child shall live.
    """

    def __init__(self, name: str, process: Process, command: Command, log_file: Path, pid_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._process = process
        self._command = command
        self._pid_file = pid_file

    @classmethod
    async def start(cls, name: str, data_dir: Path, command: Command) -> Self:
        """Starts `command`, logging to data_dir/logs/<name>.log, after ending an earlier run's leftover.

        Raises ServerError when the data folder is in use, by a living owner or by a server that does not end.
        """
        log_file = data_dir / "logs" / f"{name}.log"
        pid_file = data_dir / "pids" / f"{name}.json"
        await asyncio.to_thread(
            leftovers.end_leftover, pid_file, program=command.program, marker=command.marker
        )
        lock = await asyncio.to_thread(holding.hold, holding.lock_file(data_dir, name), name)
        try:
            if command.prepare is not None:
                await asyncio.to_thread(command.prepare)
            return await cls._spawn(name, command, log_file, pid_file, lock)
        finally:
            os.close(lock)

    @classmethod
    async def _spawn(cls, name: str, command: Command, log_file: Path, pid_file: Path, lock: int) -> Self:
        log = _open_log(log_file)
        try:
            process = await asyncio.create_subprocess_exec(
                *tied_to_this_process(command.argv, command.death_signal, command.uid, command.niceness),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=command.working_dir,
                env=None if command.environment is None else dict(command.environment),
                start_new_session=True,
                pass_fds=(lock,),
            )
        finally:
            os.close(log)
        started = cls(name, process, command, log_file, pid_file)
        try:
            leftovers.write_record(pid_file, process.pid)
        except OSError:
            started.kill()  # A full disk: nobody would find it after us.
            raise
        return started

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits, without bound, until the child ends; returns its exit code."""
        return await self._process.wait()

    async def wait_ready(self, probe: Probe, deadline_s: float) -> None:
        """Polls `probe` until it is true.

        Raises ServerError if the child ends first or `deadline_s` seconds pass; the child is then stopped.
        """
        give_up = time.monotonic() + deadline_s
        pause_s = _POLL_S_MIN
        while True:
            if self.returncode is not None:
                self._pid_file.unlink(missing_ok=True)
                raise ServerError(f"{self.name} ended with code {self.returncode}:\n{self.log_tail()}")
            if await probe():
                return
            if time.monotonic() >= give_up:
                await self.stop(5.0)
                raise ServerError(f"{self.name} was not ready after {deadline_s:g} s:\n{self.log_tail()}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * _POLL_GROWS, _POLL_S_MAX)

    async def stop(self, deadline_s: float = 15.0) -> int:
        """Stops the child politely, and its whole group by SIGKILL after `deadline_s` seconds.

        Returns the exit code. May be called again. Cancelled, it sends SIGKILL at once.
        """
        if self.returncode is None:
            self._send(self._command.stop_signal)
            # One that somebody has paused would not hear it.
            self._send(signal.SIGCONT)
        try:
            async with asyncio.timeout(deadline_s):
                code = await self._process.wait()
        except asyncio.CancelledError:
            if self.returncode is None:
                logger.warning("%s had not ended: killed; the next start recovers", self.name)
                self.kill()
            raise
        except TimeoutError:
            logger.warning(
                "%s did not end within %g s: killed; the next start recovers", self.name, deadline_s
            )
            self.kill()
            async with asyncio.timeout(deadline_s):
                code = await self._process.wait()
        self._pid_file.unlink(missing_ok=True)
        return code

    def kill(self) -> None:
        """SIGKILL to the child and its process group, without waiting."""
        if self.returncode is not None:
            return
        try:
            # Not reaped yet, so the number still means our group.
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, headed by its path."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, self.log_file.stat().st_size - 64 * 1024))
                text = log.read().decode("utf-8", "replace")
        except OSError as error:
            text = f"(no log: {error})"
        return "\n".join([f"--- {self.log_file}", *text.splitlines()[-lines:]])


def _open_log(path: Path) -> int:
    """Opens the log for appending; one that has grown past 32 MiB becomes <name>.log.1 first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        os.replace(path, path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


async def run_to_end(
    name: str, data_dir: Path, command: Command, deadline_s: float, progress: Progress = silent
) -> None:
    """Runs a command that ends by itself (initdb, a formatter).

    Raises ServerError when it fails or takes more than `deadline_s` seconds.
    """
    progress(f"{name} ...")
    process = await ManagedProcess.start(name, data_dir, command)
    try:
        async with asyncio.timeout(deadline_s):
            code = await process.wait()
    except TimeoutError:
        raise ServerError(f"{name} took more than {deadline_s:g} s:\n{process.log_tail()}") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.stop(5.0)
    if code != 0:
        raise ServerError(f"{name} failed with code {code}:\n{process.log_tail()}")
