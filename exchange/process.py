"""The frame of every process: logging, signals, HTTP, and the loop over its components."""

import asyncio
import contextlib
import logging
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop
from prometheus_client import Gauge

from exchange import crash_points
from exchange.config import Settings, SettingsError
from exchange.connection_guard import ConnectionLimits, guarded_protocols
from exchange.http_defence import WithPagePolicy, answer_headers
from exchange.log_lines import LogFormat, formatter
from exchange.service import Component, run_components

__all__ = ["HttpServer", "bind", "configure_logging", "run_process", "run_until_signal", "serve"]

logger = logging.getLogger(__name__)
# At DEBUG, or even INFO, they write down what passes through them: parameters, frames, the bodies that go
# to a key management service, which hold data keys.
_QUIET_LIBRARIES = (
    "aiokafka", "asyncio", "boto3", "botocore", "httpcore", "httpx", "urllib3", "uvicorn", "websockets",
)  # fmt: skip
_disk_free = Gauge("exchange_disk_free_ratio", "Free part of the disk with the data folder, 0 to 1")
_SHUTDOWN_DEADLINE_S = 5
_BACKLOG = 1_024
_KEEP_ALIVE_S = 75
_CONNECTIONS_MAX = 12_000
# Descriptors for all that is no client: logs, files, databases.
_DESCRIPTORS_RESERVED = 512
# A bound on what the kernel keeps for a client that does not read; it would take megabytes.
_SEND_BUFFER_SIZE_BYTES = 262_144
_WEBSOCKET_MESSAGE_SIZE_BYTES_MAX = 65_536


def configure_logging(level: str, log_format: LogFormat = "text", shard: int = 0) -> None:
    """Log to standard error, a line a record (of several lines when it is text with a traceback)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format, shard))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its lines of information show paths, and with them listen keys; its warnings are any client's to write.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started. Raises OSError with the reason in words."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_SIZE_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
        ) from None
    listener.setblocking(False)
    return listener


def _raise_descriptor_limit() -> None:
    """As many descriptors as we may have: many systems start with 1,024, which is few for sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _connections_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _CONNECTIONS_MAX
    return max(64, min(_CONNECTIONS_MAX, soft - _DESCRIPTORS_RESERVED))


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: `run_process` does that for the whole process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpServer:
    """The component that answers HTTP and WebSocket on a bound socket."""

    name = "http"

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        trusted_proxies: str = "",
        limits: ConnectionLimits | None = None,
        *,
        hsts: bool = False,
    ) -> None:
        self._listener = listener
        http, websocket = guarded_protocols(limits or ConnectionLimits())
        self._server = _Server(
            uvicorn.Config(
                WithPagePolicy(app),
                loop="none",
                http=cast(Any, http),
                ws=cast(Any, websocket),
                headers=answer_headers(hsts=hsts),
                lifespan="off",
                access_log=False,
                log_config=None,
                ws_per_message_deflate=False,
                ws_max_size=_WEBSOCKET_MESSAGE_SIZE_BYTES_MAX,
                ws_ping_interval=20.0,
                ws_ping_timeout=60.0,
                limit_concurrency=_connections_max(),
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_SHUTDOWN_DEADLINE_S,
                server_header=False,
                # The client's address matters for IP allow-lists: trust only our own gateway for it.
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
            )
        )

    async def start(self) -> None:
        """Nothing to recover."""

    async def run(self) -> None:
        """Serve until cancelled, then let open requests end within a deadline."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="uvicorn")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self._server.should_exit = True
            await asyncio.wait({serving}, timeout=_SHUTDOWN_DEADLINE_S + 2)
            raise
        raise RuntimeError("the HTTP server ended by itself")

    async def stop(self) -> None:
        """Close the listening socket."""
        self._listener.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Always ready: whoever reads this came through it."""
        return {}


async def serve(app: Any, components: Sequence[Component], settings: Settings) -> None:
    """Run the components and serve `app` on settings.host:settings.port.

    The port opens first, so that probes get an answer while the components recover.
    """
    server = HttpServer(app, bind(settings.host, settings.port), settings.trusted_proxies, hsts=settings.hsts)
    await run_components([server, *components])


def run_process(main: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    """Read the settings, run `main` until it ends or a signal comes. Returns the exit code."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level, settings.log_format, settings.shard)
    logging.captureWarnings(True)
    crash_points.watch(settings.crash_points)
    logger.info("settings %s", settings.model_dump(mode="json"))
    _disk_free.set_function(lambda: _free_part(settings.data_dir))
    return run_until_signal(main(settings))


def _free_part(folder: Path) -> float:
    """How much of a folder's disk is free; the folder may not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total


def run_until_signal(main: Coroutine[Any, Any, None]) -> int:
    """Run a coroutine on uvloop until it ends or SIGINT or SIGTERM comes. Returns the exit code.

    Whatever it raises is logged, and makes the exit code 1.
    """
    _raise_descriptor_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signal(main))


async def _until_signal(main: Coroutine[Any, Any, None]) -> int:
    task = asyncio.create_task(main)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        return 0 if stopped else 1
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            logger.critical("stopping: %r", error, exc_info=error)
        return 1
    except Exception as error:
        logger.critical("stopping: %r", error, exc_info=error)
        return 1
    return 0
