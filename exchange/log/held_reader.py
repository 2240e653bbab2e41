"""A place on a log that is lost and found again: one reader at a time, opened anew after failures."""

import asyncio
import logging

from exchange.ports.world import Log, LogError, LogReader, LogRecord

__all__ = ["HeldReader"]

logger = logging.getLogger(__name__)


class HeldReader:
    """A LogReader over the reader that its owner opened last, with deadlines for opening and closing."""

    def __init__(self, name: str, log: Log, deadline_ms: int, gather_ms: int = 0) -> None:
        """`name` is the owner's, for the log lines; `gather_ms` as for Log.reader."""
        self._name = name
        self._log = log
        self._deadline_s = deadline_ms / 1000
        self._gather_ms = gather_ms
        self._reader: LogReader | None = None

    @property
    def is_open(self) -> bool:
        """Whether `read` may be called."""
        return self._reader is not None

    async def open(self, offset: int) -> None:
        """Let go of what was open, and go on at `offset`. Raises LogError, OSError, TimeoutError."""
        await self.close()
        async with asyncio.timeout(self._deadline_s):
            self._reader = await self._log.reader(offset, self._gather_ms)

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        """As LogReader.read. Whether a reader that failed may go on is the owner's decision."""
        assert self._reader is not None, "open comes before read"
        return await self._reader.read(timeout_ms)

    async def close(self) -> None:
        """Let go of the reader, if there is one. One that does not close in time is forgotten."""
        reader, self._reader = self._reader, None
        if reader is not None:
            try:
                async with asyncio.timeout(self._deadline_s):
                    await reader.close()
            except (LogError, OSError, TimeoutError):
                logger.warning("%s: the reader did not close", self._name, exc_info=True)
