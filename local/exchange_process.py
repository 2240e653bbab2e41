"""A whole exchange as a child process, to be talked to over its port, stopped, or killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import httpx
import psutil

from local.servers import ServerError, free_port
from local.servers.process import tied_to_this_process

__all__ = ["ExchangeProcess", "NotReadyError"]

# A full machine takes minutes; one that ends says so at once.
START_DEADLINE_S = {"run": 300.0, "stack": 420.0}
STOP_DEADLINE_S = 45.0
KILL_DEADLINE_S = 15.0
_SERVER_LOG_LINES = 6
_LOG_LINE_LENGTH_MAX = 240
ROOT = Path(__file__).resolve().parents[1]
# Linux ends a tied child with the thread that started it: this one lives as long as the process, whoever
# calls `start`, and from whichever thread.
_STARTER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="exchange-starter")


class NotReadyError(ServerError):
    """It runs, and was not ready in the time that it was given."""


class ExchangeProcess:
    """`python -m local <mode>` on a free port, with its own data folder, for tests of all sorts.

    No market maker, no rate limits, no Prometheus. It ends with this process, however that ends (Linux). The
    folder lies in the system's temporary folder, not in pytest's, which is closed to other users: PostgreSQL
    runs as `nobody` when root starts it, and has to reach its files.
    """

    def __init__(self, mode: str, *, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: EXCHANGE_* variables for the services of a stack, as far as it passes them on."""
        self.mode = mode
        self.settings = dict(settings or {})
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = Path(tempfile.mkdtemp(prefix=f"exchange-{mode}-"))
        for folder in (self.data_dir, self.data_dir / mode):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        self._log = self.data_dir / "console.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.remove()

    def remove(self) -> None:
        """Forget all state of an exchange that has been stopped or killed."""
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process that owns all others."""
        return self._started().pid

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise ServerError("the exchange has not been started")
        return self._process

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "local", self.mode]

    def start(self, deadline_s: float | None = None) -> None:
        """Start on the data folder as it is, and wait until the exchange says that it is ready."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EXCHANGE_")}
        environment |= {"PORT": str(self.port), "DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        environment |= {"MARKET_MAKER": "0", "HISTORY": "0", "RATE_LIMITS": "0", "PROMETHEUS": "0"}
        environment |= self.settings
        with self._log.open("ab") as log:
            starting = _STARTER.submit(
                subprocess.Popen[bytes],
                tied_to_this_process(self._command(), signal.SIGKILL, umask=None),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._process = starting.result()
        try:
            self.wait_ready(deadline_s or START_DEADLINE_S[self.mode])
        except BaseException:
            self.kill()
            raise

    def wait_ready(self, deadline_s: float) -> None:
        """Wait for /readyz to be 200. Raises ServerError with the log's end."""
        process = self._started()
        give_up = time.monotonic() + deadline_s
        problem = ""
        # One client: each loads the world's certificates, 20 ms of processor that the exchange needs now.
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while time.monotonic() < give_up:
                code = process.poll()
                if code is not None:
                    raise ServerError(f"the exchange ended with code {code}:\n{self.log_tail()}")
                try:
                    answer = client.get(f"{self.url}/readyz")
                    if answer.status_code == 200:
                        return
                    problem = answer.text[:500]
                except httpx.HTTPError as error:
                    problem = repr(error)
                time.sleep(0.1)
        raise NotReadyError(f"not ready after {deadline_s:g} s: {problem}\n{self.log_tail()}")

    def stop(self) -> None:
        """Ctrl-C, then wait. Raises ServerError after the deadline, when all has been killed."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                tail = self.log_tail()
                self.kill()
                raise ServerError(f"did not stop within {STOP_DEADLINE_S:g} s:\n{tail}") from None
        self._process = None

    def kill(self) -> None:
        """`kill -9` of the process and of every process below it; returns when all are gone."""
        process = self._process
        if process is None:
            return
        family = self._family()
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        process.wait(KILL_DEADLINE_S)
        give_up = time.monotonic() + KILL_DEADLINE_S
        while any(_exists(member) for member in family):
            if time.monotonic() >= give_up:
                raise ServerError(f"still there: {[member.pid for member in family if _exists(member)]}")
            time.sleep(0.02)
        self._process = None

    def _family(self) -> list[psutil.Process]:
        """The owner first, so that it cannot start again what is killed after it."""
        try:
            owner = psutil.Process(self.pid)
            return [owner, *owner.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def service_names(self) -> list[str]:
        """Every process of a stack, by the name of its pid file."""
        return sorted(path.stem for path in (self.data_dir / "run").glob("*.pid"))

    def service_pid(self, name: str) -> int | None:
        """The pid of one process of a stack; None while there is none."""
        try:
            return int((self.data_dir / "run" / f"{name}.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    def kill_service(self, name: str) -> None:
        """`kill -9` of one process of this stack."""
        self._service(name).kill()

    @contextlib.contextmanager
    def paused_service(self, name: str) -> Iterator[None]:
        """SIGSTOP to one process of this stack and all below it, SIGCONT afterwards: silent, not gone."""
        service = self._service(name)
        members = [service, *service.children(recursive=True)]
        for member in members:
            member.suspend()
        try:
            yield
        finally:
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.resume()

    def _service(self, name: str) -> psutil.Process:
        """The process, after making sure that the number in its file still means it."""
        pid = self.service_pid(name)
        for member in self._family():
            if member.pid == pid:
                return member
        raise ServerError(f"{name} has no process in this stack (its pid file says {pid})")

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the console, and a few of each server's own log."""
        parts = []
        for path in [self._log, *sorted(self.data_dir.glob("*/logs/*.log"))]:
            try:
                text = path.read_text(errors="replace")
            except OSError:
                continue
            kept = text.splitlines()[-(lines if path == self._log else _SERVER_LOG_LINES) :]
            parts.append("\n".join([f"--- {path.name}", *(line[:_LOG_LINE_LENGTH_MAX] for line in kept)]))
        return "\n".join(parts)


def _exists(process: psutil.Process) -> bool:
    # A zombie does not: the next start has to live with those that nobody reaps.
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
