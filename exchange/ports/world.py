"""The borders of the pure code: what it needs of the world, as small protocols.

Adapters under `exchange.adapters` implement them; only a process's main module picks one.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX

__all__ = [
    "Headers",
    "HistoryError",
    "HistoryRow",
    "HistoryTable",
    "KeyWrapError",
    "KeyWrapper",
    "LabelledRecord",
    "Lease",
    "LeaseError",
    "LeaseRecord",
    "Log",
    "LogError",
    "LogProbe",
    "LogReader",
    "LogRecord",
    "LogRestorer",
    "LogTimeoutError",
    "LogWriter",
    "ObjectStore",
    "ObjectStoreError",
    "RecordStream",
    "TrimmedLog",
    "check_record",
]


# Names and values that travel beside a record.
Headers: TypeAlias = tuple[tuple[str, bytes], ...]


class LogError(Exception):
    """The log did not take or give a record. After a failed append its fate is unknown."""


class LogTimeoutError(LogError):
    """The log did not answer within the deadline."""


class LogRecord(NamedTuple):
    """One record of a log. Offsets are gapless from 0; the log itself stamps `timestamp_ms`."""

    offset: int
    timestamp_ms: int
    value: bytes

    @property
    def headers(self) -> Headers:
        """What came beside the record; most come without."""
        return ()


class LabelledRecord(LogRecord):
    """A record that came with headers.

    They say something about the record and are no part of it: it is equal to the same one without them, and
    a log may lose them. The archive does.
    """

    _headers: Headers = ()

    @classmethod
    def of(cls, offset: int, timestamp_ms: int, value: bytes, headers: Headers) -> LogRecord:
        """A record with these headers, which may be none."""
        if not headers:
            return LogRecord(offset, timestamp_ms, value)
        record = cls(offset, timestamp_ms, value)
        record._headers = headers
        return record

    @property
    def headers(self) -> Headers:
        """What came beside the record."""
        return self._headers


def check_record(value: bytes) -> None:
    """Refuse, alike on every log, what one of them would not take. Raises LogError; nothing was sent."""
    if len(value) > LOG_RECORD_SIZE_BYTES_MAX:
        raise LogError(f"a record of {len(value)} bytes is too big: {LOG_RECORD_SIZE_BYTES_MAX} at most")


class LogWriter(Protocol):
    """Appends records. One writer is used by one task at a time.

    Every log refuses a record above LOG_RECORD_SIZE_BYTES_MAX, and whatever comes after `close`.
    """

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        """Append durably and return the offset. Raises LogError; never retries silently.

        `headers` may be lost on the way: a log that has no place for them, as the embedded one, drops them.
        """
        ...

    async def close(self) -> None:
        """Release resources within a deadline."""
        ...


class LogReader(Protocol):
    """Reads records in order from the offset it was opened at.

    A reader beyond the log's end is refused, when it is opened or at its first read.
    """

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        """Return the next records, at least one unless the timeout passes first. Raises LogError.

        A reader that gathers may let its own time pass first, so that more come at once.
        """
        ...

    async def close(self) -> None:
        """Release resources within a deadline."""
        ...


class LogProbe(Protocol):
    """Asks a log how far it goes, again and again, without reading it. Used by one task at a time."""

    async def end_offset(self) -> int:
        """As `Log.end_offset`, at the price of one question. Raises LogError."""
        ...

    async def record(self, offset: int) -> LogRecord:
        """One record that is there. Raises LogError, LogTimeoutError."""
        ...

    async def close(self) -> None:
        """Release resources within a deadline."""
        ...


class Log(Protocol):
    """An append-only sequence of records."""

    async def writer(self) -> LogWriter:
        """Open a writer."""
        ...

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        """Open a reader whose first record is `offset`.

        `gather_ms`: nobody waits for what it reads, so each look at the log may take so much longer, and
        bring more. What fills a fetch comes at once, whatever the delay.
        """
        ...

    async def first_offset(self) -> int:
        """Offset of the oldest record that is kept, or of the next one; what is older was removed."""
        ...

    async def probe(self) -> LogProbe:
        """Open a probe. Raises LogError."""
        ...

    async def end_offset(self) -> int:
        """Offset that the next appended record will get; 0 for an empty log."""
        ...

    async def last(self) -> LogRecord | None:
        """The newest record, None for an empty log."""
        ...


class TrimmedLog(Log, Protocol):
    """A log whose oldest records can be removed."""

    async def remove_before(self, offset: int) -> None:
        """Forget records before `offset`, for good, as many of them as can go. Raises LogError, OSError."""
        ...


class LogRestorer(Protocol):
    """Fills a fresh log with records as they once were; nobody else reads or writes it meanwhile."""

    async def append(self, records: Sequence[LogRecord]) -> None:
        """Append with the records' own offsets and time stamps; they go on without a gap. Raises LogError."""
        ...

    async def finish(self) -> None:
        """Make the log usable: from now on it stamps records itself. Raises LogError."""
        ...

    async def close(self) -> None:
        """Let go. A log that was not finished cannot be used, but restored anew."""
        ...


class LeaseError(Exception):
    """The lease's keeper did not answer, or what it keeps cannot be read."""


class LeaseRecord(NamedTuple):
    """Who says that it leads. `holder` "" means nobody. Every write gives a new `version`."""

    holder: str
    duration_ms: int
    version: str


class Lease(Protocol):
    """One record that is changed by compare-and-set. It tells who is alive; safety comes from the log."""

    async def read(self) -> LeaseRecord | None:
        """Return the record, None when there never was one. Raises LeaseError."""
        ...

    async def write(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        """Replace `expected`; None when somebody else was quicker. Raises LeaseError."""
        ...


class ObjectStoreError(Exception):
    """The store did not take or give an object, or gave back something else than was put."""


class ObjectStore(Protocol):
    """Objects under keys, written once: a folder, or a bucket."""

    async def put(self, key: str, body: bytes) -> bool:
        """Keep `body` under a new key, durably; False when the key is taken. Raises ObjectStoreError."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return an object's body, None when there is none. Raises ObjectStoreError."""
        ...

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys with this prefix in ascending order. Raises ObjectStoreError."""
        ...

    async def delete(self, key: str) -> None:
        """Forget an object, if it is there. Raises ObjectStoreError."""
        ...


class KeyWrapError(Exception):
    """The key-encryption key is missing, refused or another one, or its keeper did not answer in time."""


class KeyWrapper(Protocol):
    """Encrypts data keys under a key that stays with its keeper: a file, or a key management service.

    `context` is not secret; what was wrapped with one context does not unwrap with another.
    """

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the wrapped form of 32 bytes. Raises KeyWrapError."""
        ...

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises KeyWrapError."""
        ...


class HistoryError(Exception):
    """A table or a stream of the market's history did not take or give what was asked of it."""


class HistoryRow(NamedTuple):
    """One row of a table. Its key is `series` and `number`, and it may go some time after `expires_at_s`."""

    series: str
    number: int
    values: Mapping[str, int | str]
    expires_at_s: int | None = None


class HistoryTable(Protocol):
    """Rows in series: DynamoDB, or a folder."""

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        """Write rows over those of the same key; all are durable but those returned, which were throttled.

        `newer_by`: leave a stored row alone whose value of this name is as great. Raises HistoryError; then
        any of the rows may have been written.
        """
        ...

    async def read(
        self, series: str, first: int, last: int, *, limit: int, newest_first: bool = False
    ) -> list[HistoryRow]:
        """At most `limit` rows with first <= number <= last, ascending unless `newest_first`.

        Sees every row that was written before. Raises HistoryError.
        """
        ...


class RecordStream(Protocol):
    """Takes records for others to read: Kinesis, or a folder."""

    async def put(self, records: Mapping[str, bytes]) -> Sequence[str]:
        """Append one record to each key's sequence; all are durable but those of the keys returned.

        Raises HistoryError; then any of the records may have been taken.
        """
        ...
