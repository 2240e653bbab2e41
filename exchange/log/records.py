"""A bounded walk over a log: every record from one offset to another, or an error, never a silent end."""

from collections.abc import AsyncGenerator
from typing import Final

from exchange.ports.world import Log, LogRecord, LogTimeoutError

__all__ = ["records_between"]

_READ_TIMEOUT_MS: Final = 10_000


async def records_between(log: Log, first: int, end: int) -> AsyncGenerator[LogRecord, None]:
    """Every record with first <= offset < end. Raises LogError, LogTimeoutError when one does not come.

    Whoever leaves the loop early closes the iterator (`contextlib.aclosing`), which closes the reader.
    """
    if first >= end:
        return
    reader = await log.reader(first)
    try:
        offset = first
        while offset < end:
            records = await reader.read(_READ_TIMEOUT_MS)
            if not records:
                raise LogTimeoutError(f"record {offset} of {end} did not come")
            for record in records:
                if record.offset < end:
                    yield record
            offset = records[-1].offset + 1
    finally:
        await reader.close()
