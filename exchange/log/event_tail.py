"""Following the event log: first copy of each seq, chain checked, stop on a gap (decision 5)."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CodecError,
    CommandOutcome,
    ReadLink,
    first_wrong_seq,
    last_outcome,
)
from exchange.contracts.limits import TAIL_READ_SIZE_BYTES_MAX
from exchange.log.decoded import DecodedRecord, decoded_records
from exchange.log.places import last_link
from exchange.log.records import records_between
from exchange.ports.world import Log, LogReader, LogRecord

__all__ = ["ChainError", "EventTail", "TailPosition", "newest_event", "newest_outcome"]

# A former leader's last records may repeat, behind the newest, what others wrote before it.
_STALE_RECORDS_MAX: Final = 1_000


class ChainError(Exception):
    """A gap or a wrong hash on the event log: this process must stop, not guess."""


class TailPosition:
    """Where a projection stands: `seq` of its last event, that event's hash, the next log offset."""

    def __init__(self, seq: int, hash: bytes, next_offset: int) -> None:
        self.seq = seq
        self.hash = hash
        self.next_offset = next_offset


class EventTail:
    """Reads records from `reader` and gives each new outcome to the caller exactly once.

    `position` is advanced before the outcomes are handed out. The reader must have been opened at
    or before `position.next_offset`.
    """

    def __init__(self, reader: LogReader, position: TailPosition) -> None:
        self._reader = reader
        self.position = position
        # Read and not looked at yet.
        self._records: deque[LogRecord] = deque()

    async def read(self, timeout_ms: int) -> list[CommandOutcome]:
        """Return the new outcomes, perhaps none. Raises ChainError, CodecError, LogError.

        Of what one fetch brought, only as much at once as TAIL_READ_SIZE_BYTES_MAX: decoding and checking
        are one step, in which nobody else of the process has a turn. The rest comes at the next call.
        """
        if not self._records:
            self._records.extend(await self._reader.read(timeout_ms))
        fresh: list[CommandOutcome] = []
        size = 0
        while self._records and size < TAIL_READ_SIZE_BYTES_MAX:
            record = self._records.popleft()
            size += len(record.value)
            fresh += self.take(record)
        return fresh

    def take(self, record: LogRecord) -> list[CommandOutcome]:
        """The new outcomes of a record that the caller has read itself. Raises ChainError, CodecError."""
        fresh: list[CommandOutcome] = []
        self._take(decoded_records.of(record.value), fresh)
        self.position.next_offset = record.offset + 1
        return fresh

    def _take(self, record: DecodedRecord, fresh: list[CommandOutcome]) -> None:
        """Move on by what is new of a record; what another tail has checked is not checked again."""
        position = self.position
        before = (position.seq, position.hash)
        if record.follows is not None and record.follows[0] == before:
            position.seq, position.hash = record.follows[1]
            fresh += record.outcomes
            return
        known = len(fresh)
        for link in record.links:
            fresh += self._advance(link)
        if len(fresh) - known == len(record.outcomes):
            record.follows = before, (position.seq, position.hash)

    def _advance(self, link: ReadLink) -> Sequence[CommandOutcome]:
        """Check one link of the chain. What it brings that was not seen yet: of a repeat, nothing."""
        if not all(outcome.events for outcome in link.outcomes):
            raise CodecError("an outcome without events")
        position, last_seq = self.position, link.last_seq
        if last_seq <= position.seq:
            if last_seq == position.seq and link.hash != position.hash:
                raise ChainError(f"two different events have seq {last_seq}")
            return ()
        # Whoever stopped within a link has the hash before it, and takes up what is left of it.
        fresh = [outcome for outcome in link.outcomes if outcome.events[-1].seq > position.seq]
        seq = position.seq
        for outcome in fresh:
            for recorded in outcome.events:
                if recorded.seq != seq + 1:
                    raise ChainError(f"expected seq {seq + 1}, the log has {recorded.seq}")
                seq += 1
        wrong = first_wrong_seq(link, position.hash)
        if wrong:
            raise ChainError(f"the hash of seq {wrong} does not follow from the events before it")
        position.seq, position.hash = last_seq, link.hash
        return fresh


async def newest_event(log: Log) -> TailPosition:
    """Seq and hash of the newest event on the log, and the log's end. Raises LogError, CodecError."""
    end = await log.end_offset()
    newest = await newest_outcome(log, end)
    if newest is None:
        return TailPosition(0, EMPTY_CHAIN_HASH, end)
    return TailPosition(newest.events[-1].seq, newest.events[-1].hash, end)


async def newest_outcome(log: Log, end: int) -> CommandOutcome | None:
    """The outcome with the newest event before offset `end`. Raises LogError, CodecError."""
    newest: LogRecord | None = None
    newest_seq = -1
    first = max(await log.first_offset(), end - _STALE_RECORDS_MAX)
    async for record in records_between(log, first, end):
        first_seq = last_link(record.value).first_seq
        if first_seq > newest_seq:
            newest, newest_seq = record, first_seq
    if newest is None:
        return None
    last = last_outcome(newest.value)
    if not last.events:
        raise CodecError("an outcome without events")
    return last
