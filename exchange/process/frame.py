"""The frame of every process: settings, logging, signals, and an end with an exit code."""

import asyncio
import contextlib
import logging
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from prometheus_client import Gauge

from exchange.process import crash_points
from exchange.process.log_lines import LogFormat, formatter
from exchange.process.loop.heap import quiet_collector
from exchange.process.loop.pulse import beating

if TYPE_CHECKING:
    from exchange.process.config import Settings

__all__ = ["configure_logging", "run_process", "run_until_signal"]

logger = logging.getLogger(__name__)
# At DEBUG, or even INFO, they write down what passes through them: parameters, frames, the bodies that go
# to a key management service, which hold data keys.
_QUIET_LIBRARIES = (
    "aiokafka", "asyncio", "boto3", "botocore", "httpcore", "httpx", "urllib3", "uvicorn", "websockets",
)  # fmt: skip
_disk_free = Gauge("exchange_disk_free_ratio", "Free part of the disk with the data folder, 0 to 1")


def configure_logging(level: str, log_format: LogFormat = "text", shard: int = 0) -> None:
    """Log to standard error, a line a record (of several lines when it is text with a traceback)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format, shard))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its lines of information show paths, and with them listen keys; its warnings are any client's to write.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _raise_descriptor_limit() -> None:
    """As many descriptors as we may have: many systems start with 1,024, which is few for sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_process(main: "Callable[[Settings], Coroutine[Any, Any, None]]") -> int:
    """Read the settings, run `main` until it ends or a signal comes. Returns the exit code."""
    # A local exchange makes settings of its own, and what checks them takes a while to import.
    from exchange.process.config import Settings, SettingsError

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
    quiet_collector()
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
        with beating():
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
