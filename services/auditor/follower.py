"""The auditor's own place on the event log, and the state that belongs to it."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

from exchange.contracts.codec import CodecError, CommandOutcome, link_hash, linked_rows
from exchange.contracts.event_unpacking import place_in
from exchange.contracts.limits import EVENTS_PER_TURN_MAX, INTEGER_MAX, TAIL_READ_SIZE_BYTES_MAX
from exchange.contracts.unpacking import IS_COMPILED
from exchange.log import gathering
from exchange.log.event_tail import ChainError, EventTail, TailPosition
from exchange.log.held_reader import HeldReader
from exchange.ports.world import Log, LogRecord
from services.auditor.audit.links import LinkAudit
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import AuditState, Breach

__all__ = ["Follower", "NotReachedError"]

logger = logging.getLogger(__name__)

_STEP_TIMEOUT_MS: Final = 100


class NotReachedError(Exception):
    """The event log did not give the wanted seq in time."""


class Follower:
    """Moves `state` along the log, one slice at a time, and stops where it is told.

    `next_offset`: where the log goes on behind the state; the position is exact while `is_between`.
    `outcomes` counts those audited in this life.

    A record that goes on where the state stands is read straight from its bytes, link by link; any other (a
    former leader's repeat, one of format 1, one that does not follow) goes the way of all readers. The
    interpreter goes that way always: it shares the decoding of others there.
    """

    def __init__(
        self,
        log: Log,
        state: AuditState,
        next_offset: int,
        deadline_ms: int,
        *,
        from_bytes: bool = IS_COMPILED,
    ) -> None:
        self._log = log
        self._deadline_s = deadline_ms / 1000
        self._from_bytes = from_bytes
        self.outcomes = 0
        # Fetched and not looked at yet.
        self._records: deque[LogRecord] = deque()
        # Of the record under way: links with the hash behind each, or outcomes.
        self._links: deque[tuple[bytes, bytes]] = deque()
        self._pending: deque[CommandOutcome] = deque()
        self._reader = HeldReader("auditor", log, deadline_ms, gathering.AUDITOR_MS)
        self._tail: EventTail | None = None
        self.go_on_from(state, next_offset)

    def go_on_from(self, state: AuditState, next_offset: int) -> None:
        """Take this state in place of the one there is, before the log is opened."""
        assert self._tail is None, "the log is open"
        self.state = state
        self._audit = Audit(state)
        self._link = LinkAudit(self._audit)
        self._position = TailPosition(state.seq, state.hash, next_offset)

    @property
    def next_offset(self) -> int:
        """Offset of the record that is read next."""
        return self._position.next_offset

    @property
    def is_between(self) -> bool:
        """Whether everything that was read has been audited."""
        return not self._pending and not self._links and self._link.is_between

    async def open(self) -> None:
        """Open the log at the position, unless it is open. Raises LogError."""
        if self._tail is not None:
            return
        async with asyncio.timeout(self._deadline_s):
            end_offset = await self._log.end_offset()
        if self._position.next_offset > end_offset:
            # The log lost its end, and its writer will write the same again, perhaps in other records.
            logger.warning(
                "the event log ends at %d, before %d: from its start", end_offset, self.next_offset
            )
            self._position.next_offset = 0
        await self._reader.open(self._position.next_offset)
        self._tail = EventTail(self._reader, self._position)

    async def close(self) -> None:
        """Let go of the reader; `open` goes on where it was."""
        self._tail = None
        self._records.clear()
        await self._reader.close()

    async def advance(self, timeout_ms: int, until_seq: int | None = None) -> Sequence[Breach]:
        """Audit the next slice, not beyond `until_seq`, and return what it broke.

        A gap, a wrong hash or bytes that are no events are breaches (I7). Raises LogError.
        """
        if self.is_between and not self._records:
            assert self._tail is not None, "open comes before advance"
            self._records.extend(await self._reader.read(timeout_ms))
        end_seq = INTEGER_MAX if until_seq is None else until_seq
        left, size_bytes = EVENTS_PER_TURN_MAX, 0
        while left > 0 and self.state.seq < end_seq:
            if self.is_between:
                if not self._records or size_bytes >= TAIL_READ_SIZE_BYTES_MAX:
                    break
                record = self._records.popleft()
                size_bytes += len(record.value)
                try:
                    self._begin(record)
                except (ChainError, CodecError) as error:
                    return [Breach(self.state.seq + 1, "I7", str(error))]
            try:
                done, breaches = self._audit_some(left, end_seq)
            except (OverflowError, ValueError) as error:
                # An outcome's place or time beyond 64 bits: no engine has written that.
                return [Breach(self.state.seq + 1, "I7", str(error))]
            if breaches:
                return breaches
            left -= done
        return ()

    def _begin(self, record: LogRecord) -> None:
        """Take up a record: its links, or its outcomes that are new. Raises ChainError, CodecError."""
        assert self._tail is not None, "it is read from an open log"
        state = self.state
        found = linked_rows(record.value) if self._from_bytes else None
        if found is not None:
            digest, rows = found
            place = place_in(rows[0][1]) if rows and digest == state.hash else None
            if place is not None and place[1] == state.seq + 1:
                self._links.extend((body, after) for after, body in rows)
                self._position.next_offset = record.offset + 1
                return
        self._position.seq, self._position.hash = state.seq, state.hash
        self._pending.extend(self._tail.take(record))

    def _audit_some(self, events_max: int, until_seq: int) -> tuple[int, Sequence[Breach]]:
        """Go on with the record under way: how many events that were, and what they broke."""
        if self._pending:
            outcome = self._pending.popleft()
            self.outcomes += 1
            return len(outcome.events), self._audit.apply(outcome)
        link, state = self._link, self.state
        if link.is_between:
            if not self._links:
                return 0, ()
            body, digest = self._links.popleft()
            if link_hash(state.hash, body) != digest:
                wrong = "the hash behind seq {} does not follow from the events before it"
                return 0, [Breach(state.seq + 1, "I7", wrong.format(state.seq))]
            try:
                link.begin(body, digest)
            except CodecError as error:
                return 0, [Breach(state.seq + 1, "I7", str(error))]
        events, outcomes = link.events, link.outcomes
        breaches = link.go_on(events_max, until_seq)
        self.outcomes += link.outcomes - outcomes
        return link.events - events, breaches

    async def advance_to(self, seq: int, digest: bytes, wait_s: float, who: str) -> Sequence[Breach]:
        """Audit up to exactly `seq`, whose chain hash is `digest` according to `who`.

        It is a breach when no outcome ends there, or with another hash. Raises NotReachedError, LogError.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while self.state.seq < seq:
            breaches = await self.advance(_STEP_TIMEOUT_MS, seq)
            if breaches:
                return breaches
            if loop.time() > deadline:
                raise NotReachedError(f"{who} is at seq {seq}, the event log gave {self.state.seq}")
            await asyncio.sleep(0)
        if (self.state.seq, self.state.hash) != (seq, digest):
            detail = f"{who} is at seq {seq} with hash {digest.hex()}, the events end one outcome at "
            return [Breach(seq, "I7", f"{detail}{self.state.seq} with {self.state.hash.hex()}")]
        return ()
