"""What this engine has decided and the event log does not hold yet, held against what it does hold."""

from collections import deque
from collections.abc import Iterable

from exchange.contracts.codec import CommandOutcome, EventBatch, encode_events
from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX, RECORD_SIZE_BYTES_MAX
from exchange.log.event_tail import ChainError
from matching_engine.core.shard import PoisonError

__all__ = ["Outbox", "records_of"]


class Outbox:
    """Outcomes computed here and outcomes read from the event log, compared wherever they meet.

    Either may be ahead of the other. `computed_seq` and `published_seq` are the newest seqs on
    either side. Nothing is dropped from `pending` before the event log is known to hold it: that is
    what a standby needs when it takes over.
    """

    def __init__(self, computed_seq: int, published_seq: int, published_hash: bytes) -> None:
        self.computed_seq = computed_seq
        self.published_seq = published_seq
        self.pending: deque[CommandOutcome] = deque()
        # The log's hashes of outcomes that are still to be computed here, by their last seq.
        self._awaited: dict[int, bytes] = {}
        if published_seq > computed_seq:
            self._awaited[published_seq] = published_hash

    @property
    def ahead(self) -> int:
        """Outcomes that the event log holds and that are still to be computed here, as far as read."""
        return len(self._awaited)

    def add(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Take what was computed. Raises ChainError when the log holds something else at its seq."""
        for outcome in outcomes:
            last = outcome.events[-1]
            self.computed_seq = last.seq
            if last.seq > self.published_seq:
                self.pending.append(outcome)
                continue
            published = self._awaited.pop(last.seq, None)
            if published is not None:
                _check(last.seq, last.hash, published)

    def saw(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Take what the event log holds; repeats of older ones are ignored. Raises ChainError."""
        for outcome in outcomes:
            last = outcome.events[-1]
            if last.seq <= self.published_seq:
                continue
            if outcome.events[0].seq != self.published_seq + 1:
                raise ChainError(f"the event log goes from {self.published_seq} to {outcome.events[0].seq}")
            self.published_seq = last.seq
            while self.pending and self.pending[0].events[-1].seq <= last.seq:
                mine = self.pending.popleft().events[-1]
                if mine.seq == last.seq:
                    _check(last.seq, mine.hash, last.hash)
            if last.seq > self.computed_seq:
                self._awaited[last.seq] = last.hash

    def published(self, outcomes: Iterable[CommandOutcome]) -> None:
        """The log has acknowledged what was taken from `pending`, in order."""
        for outcome in outcomes:
            assert self.pending[0] is outcome, "publishes in order"
            self.pending.popleft()
            self.published_seq = outcome.events[-1].seq


def _check(seq: int, mine: bytes, published: bytes) -> None:
    if mine != published:
        raise ChainError(f"this engine gives another hash at seq {seq} than the event log holds")


def records_of(shard: int, epoch: int, outcomes: list[CommandOutcome]) -> list[bytes]:
    """Pack outcomes into as few records as the size limit allows.

    Raises PoisonError for an outcome that no log takes. Rules version 1 allows such a one, and its command is
    to be treated as one at which the engine stops: nobody can publish what comes of it.
    """
    record = encode_events(EventBatch(shard, epoch, tuple(outcomes)))
    if len(record) <= RECORD_SIZE_BYTES_MAX:
        return [record]
    if len(outcomes) == 1:
        (outcome,) = outcomes
        if len(record) > LOG_RECORD_SIZE_BYTES_MAX:
            reason = f"its outcome of {len(outcome.events)} events and {len(record)} bytes fits no record"
            raise PoisonError(outcome.command_offset, outcome.command_index, reason)
        return [record]
    middle = len(outcomes) // 2
    return records_of(shard, epoch, outcomes[:middle]) + records_of(shard, epoch, outcomes[middle:])
