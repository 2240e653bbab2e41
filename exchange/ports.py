"""The borders of the pure code: what it needs of the world, as small protocols.

Adapters under `exchange.adapters` implement them; only a process's main module picks one.
"""

from typing import NamedTuple, Protocol

__all__ = ["Log", "LogError", "LogReader", "LogRecord", "LogTimeoutError", "LogWriter"]


class LogError(Exception):
    """The log did not take or give a record. After a failed append its fate is unknown."""


class LogTimeoutError(LogError):
    """The log did not answer within the deadline."""


class LogRecord(NamedTuple):
    """One record of a log. Offsets are gapless from 0; the log itself stamps `timestamp_ms`."""

    offset: int
    timestamp_ms: int
    value: bytes


class LogWriter(Protocol):
    """Appends records. One writer is used by one task at a time."""

    async def append(self, value: bytes) -> int:
        """Append durably and return the offset. Raises LogError; never retries silently."""
        ...

    async def close(self) -> None:
        """Release resources within a deadline."""
        ...


class LogReader(Protocol):
    """Reads records in order from the offset it was opened at."""

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        """Return the next records, at least one unless the timeout passes first. Raises LogError."""
        ...

    async def close(self) -> None:
        """Release resources within a deadline."""
        ...


class Log(Protocol):
    """An append-only sequence of records."""

    async def writer(self) -> LogWriter:
        """Open a writer."""
        ...

    async def reader(self, offset: int) -> LogReader:
        """Open a reader whose first record is `offset`."""
        ...

    async def end_offset(self) -> int:
        """Offset that the next appended record will get; 0 for an empty log."""
        ...

    async def last(self) -> LogRecord | None:
        """The newest record, None for an empty log."""
        ...
