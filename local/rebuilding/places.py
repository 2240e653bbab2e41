"""What `make rebuild` works on where the logs are files: the data folder of `make run`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from exchange.adapters.chosen.rebuild_places import KafkaPlaces
from exchange.adapters.files.log import FileLog
from exchange.adapters.files.log_restore import FileRestorer
from exchange.ports.world import Log, LogRestorer
from exchange.process.config import Settings
from local.servers import ServerError

__all__ = ["FilePlaces"]


class FilePlaces(KafkaPlaces):
    """As `KafkaPlaces`, but for the logs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._paths = [settings.data_dir / "log" / f"{name}.log" for name in ("commands", "events")]
        self._log_deadline_ms = settings.log_deadline_ms

    @contextlib.asynccontextmanager
    async def restorers(self) -> AsyncIterator[tuple[LogRestorer, LogRestorer]]:
        """Of both files. Raises LogError when one of them holds records."""
        async with contextlib.AsyncExitStack() as stack:
            opened = []
            for path in self._paths:
                opened.append(FileRestorer(path))
                stack.push_async_callback(opened[-1].close)
            yield opened[0], opened[1]

    @contextlib.asynccontextmanager
    async def logs(self) -> AsyncIterator[tuple[Log, Log]]:
        """Both files. Raises ServerError when one is not there."""
        missing: list[Path] = [path for path in self._paths if not path.exists()]
        if missing:
            raise ServerError(f"{missing[0]} is not there: `make rebuild FROM=archive` can restore it")
        async with contextlib.AsyncExitStack() as stack:
            logs = []
            for path in self._paths:
                logs.append(await FileLog.open(path, self._log_deadline_ms))
                stack.push_async_callback(logs[-1].close)
            yield logs[0], logs[1]
