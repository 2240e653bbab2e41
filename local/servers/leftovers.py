"""Finds and ends what a killed earlier run left behind, and nothing else.

A pid file names the server process and the process that owned it. The server is ended only if its owner is
gone and the process is still what the file says: same creation time, same program, and the data folder in
its command line. Pids are reused, so a number alone proves nothing. A server's workers may outlive it (those
of nginx go on and hold the port): they are known by the server's session, which no other can have meanwhile.
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local.servers.errors import ServerError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PidRecord:
    """Who runs: creation times are seconds since the epoch, as psutil reports them."""

    pid: int
    created: float
    owner_pid: int
    owner_created: float


def write_record(path: Path, pid: int) -> None:
    """Writes the pid file of a child that this process has just started."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    owner = psutil.Process()
    record = PidRecord(pid, created, owner.pid, owner.create_time())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(record)))
    os.replace(temporary, path)


def _read_record(path: Path) -> PidRecord | None:
    try:
        return PidRecord(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _living(pid: int, created: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 0.05 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.Error:
        pass
    return None


def _is_server(process: psutil.Process, program: str, marker: str) -> bool:
    try:
        command_line = process.cmdline()
        executable = Path(process.exe()).name if process.exe() else ""
    except psutil.Error:
        return False
    return executable == program and any(marker in part for part in command_line)


def _orphans(record: PidRecord, program: str, marker: str) -> list[psutil.Process]:
    """The workers of a server that is gone: same program, in its session, at work in the data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) != record.pid or process.create_time() < record.created - 0.05:
                continue
            if Path(process.exe()).name == program and marker in process.cwd():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_leftover(pid_file: Path, *, program: str, marker: str, deadline_s: float = 10.0) -> bool:
    """Ends the server named by `pid_file` if an earlier run left it, or its workers; returns whether it did.

    `program` is the executable's file name; `marker` (the data folder) must occur in its command line, or in
    its workers' working folder.
    Raises ServerError when the owner of that server still runs: two runs must not share a data folder.
    """
    record = _read_record(pid_file)
    if record is None:
        return False
    server = _living(record.pid, record.created)
    if server is None:
        orphans = _orphans(record, program, marker)
        for orphan in orphans:
            end_processes([orphan], deadline_s)
        # The file stays until the next server is written down: that one may live, out of sight (`holding`).
        return bool(orphans)
    if not _is_server(server, program, marker):
        return False
    if _living(record.owner_pid, record.owner_created) is not None:
        raise ServerError(f"{marker} is in use: {program} {record.pid} belongs to process {record.owner_pid}")
    end_processes([server, *_children(server)], deadline_s)
    pid_file.unlink(missing_ok=True)
    return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def end_processes(processes: list[psutil.Process], deadline_s: float) -> None:
    """SIGTERM to the first (a parent of the rest), SIGKILL to what is left after `deadline_s` seconds.

    Raises ServerError when even that leaves one running.
    """
    if not processes:
        return
    pids = [process.pid for process in processes]
    logger.warning("ending what an earlier run left: processes %s", pids)
    with contextlib.suppress(psutil.NoSuchProcess):
        processes[0].terminate()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            # One that somebody has paused would not hear it.
            process.resume()
    alive = _wait_gone(processes, deadline_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    alive = _wait_gone(alive, deadline_s)
    if alive:
        raise ServerError(f"cannot end the processes {[process.pid for process in alive]} of an earlier run")


def _wait_gone(processes: list[psutil.Process], deadline_s: float) -> list[psutil.Process]:
    # Not psutil.wait_procs: an orphan whose new parent never reaps stays a zombie, which it takes for alive.
    give_up = time.monotonic() + deadline_s
    alive = processes
    while alive := [process for process in alive if _runs(process)]:
        if time.monotonic() >= give_up:
            break
        time.sleep(0.02)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
