"""The ledger's part of a trace: from when an outcome was read until it is committed."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from exchange.contracts.codec import CommandOutcome
from exchange.ports.world import LogReader, LogRecord
from exchange.process.tracing import Hop, TraceContext, Tracing, traced_commands

__all__ = ["LedgerSpans", "clock_ns"]

# Whose outcome is older has its answer long since: the ledger is catching up, or written anew.
LIVE_AGE_MS_MAX: Final = 60_000
_NS_PER_MS: Final = 1_000_000


def clock_ns() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()


class LedgerSpans:
    """Notes what the headers of records say, and tells of the outcomes among them that were written."""

    def __init__(self, tracing: Tracing, clock_ns: Callable[[], int] = clock_ns) -> None:
        self._tracing = tracing
        self._clock_ns = clock_ns
        self._noted: dict[int, tuple[TraceContext, int]] = {}

    def watching(self, reader: LogReader) -> LogReader:
        """The same reader, with an eye on the headers."""
        return _Watching(reader, self._note)

    def _note(self, records: Sequence[LogRecord]) -> None:
        now_ns = self._clock_ns()
        live_since_ms = now_ns // _NS_PER_MS - LIVE_AGE_MS_MAX
        for record in records:
            if record.headers and record.timestamp_ms >= live_since_ms:
                for command_id, parent in traced_commands(record.headers).items():
                    self._noted.setdefault(command_id, (parent, now_ns))

    def written(self, outcomes: Sequence[CommandOutcome]) -> None:
        """These are committed, in one transaction."""
        if not self._noted:
            return
        for outcome in outcomes:
            noted = self._noted.pop(outcome.command_id, None)
            if noted is not None:
                span = self._tracing.span(Hop.LEDGER, *noted)
                seq = outcome.events[-1].seq
                span.end(attributes={"exchange.seq": seq, "exchange.outcomes_written": len(outcomes)})

    def forget(self) -> None:
        """All that was read is written, or will be read again: whatever else was noted is of no outcome."""
        self._noted.clear()


class _Watching:
    def __init__(self, reader: LogReader, note: Callable[[Sequence[LogRecord]], None]) -> None:
        self._reader = reader
        self._note = note

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        records = await self._reader.read(timeout_ms)
        self._note(records)
        return records

    async def close(self) -> None:
        await self._reader.close()
