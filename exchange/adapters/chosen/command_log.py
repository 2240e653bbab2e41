"""The command log for an operator's tool: Kafka's, or the file of a stopped embedded exchange."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from exchange.adapters.files.log import FileLog
from exchange.adapters.kafka.log import shard_logs
from exchange.ports.world import Log
from exchange.process.config import Settings

__all__ = ["open_command_log"]


@contextlib.asynccontextmanager
async def open_command_log(settings: Settings, file: Path | None) -> AsyncIterator[Log]:
    """`file`: commands.log of `make run`, which must not be running. Raises LogError."""
    if file is None:
        command_log, _ = shard_logs(settings)
        yield command_log
        return
    log = await FileLog.open(file, settings.log_deadline_ms)
    try:
        yield log
    finally:
        await log.close()
