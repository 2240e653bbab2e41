"""The auditor's own place on the event log, and the state that belongs to it."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

from exchange.contracts.codec import CodecError, CommandOutcome
from exchange.contracts.limits import EVENTS_PER_TURN_MAX
from exchange.log import gathering
from exchange.log.event_tail import ChainError, EventTail, TailPosition
from exchange.log.held_reader import HeldReader
from exchange.ports.world import Log
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
    """

    def __init__(self, log: Log, state: AuditState, next_offset: int, deadline_ms: int) -> None:
        self._log = log
        self._deadline_s = deadline_ms / 1000
        self.outcomes = 0
        self._pending: deque[CommandOutcome] = deque()
        self._reader = HeldReader("auditor", log, deadline_ms, gathering.AUDITOR_MS)
        self._tail: EventTail | None = None
        self.go_on_from(state, next_offset)

    def go_on_from(self, state: AuditState, next_offset: int) -> None:
        """Take this state in place of the one there is, before the log is opened."""
        assert self._tail is None, "the log is open"
        self.state = state
        self._audit = Audit(state)
        self._position = TailPosition(state.seq, state.hash, next_offset)

    @property
    def next_offset(self) -> int:
        """Offset of the record that is read next."""
        return self._position.next_offset

    @property
    def is_between(self) -> bool:
        """Whether everything that was read has been audited."""
        return not self._pending

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
        await self._reader.close()

    async def advance(self, timeout_ms: int, until_seq: int | None = None) -> Sequence[Breach]:
        """Audit the next slice, not beyond `until_seq`, and return what it broke.

        A gap, a wrong hash or bytes that are no events are breaches (I7). Raises LogError.
        """
        if not self._pending:
            assert self._tail is not None, "open comes before advance"
            try:
                self._pending.extend(await self._tail.read(timeout_ms))
            except (ChainError, CodecError) as error:
                return [Breach(self._position.seq + 1, "I7", str(error))]
        events = 0
        while self._pending and events < EVENTS_PER_TURN_MAX:
            if until_seq is not None and self.state.seq >= until_seq:
                break
            outcome = self._pending.popleft()
            events += len(outcome.events)
            breaches = self._audit.apply(outcome)
            self.outcomes += 1
            if breaches:
                return breaches
        return ()

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
