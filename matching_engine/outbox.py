"""What this engine has decided and the event log does not hold yet, held against what it does hold."""

from collections import deque
from collections.abc import Iterable

from exchange.contracts.chain import ChainLink, pack_links
from exchange.contracts.codec import ReadLink
from exchange.contracts.limits import LOG_RECORD_SIZE_BYTES_MAX, RECORD_SIZE_BYTES_MAX
from exchange.log.event_tail import ChainError
from matching_engine.core.shard import PoisonError

__all__ = ["Outbox", "commands_of", "records_of"]


class Outbox:
    """Links of the chain computed here and read from the event log, compared wherever they meet.

    Either may be ahead of the other. `computed_seq` and `published_seq` are the newest seqs on
    either side. Nothing is dropped from `pending` before the event log is known to hold it: that is
    what a standby needs when it takes over.
    """

    def __init__(self, computed_seq: int, published_seq: int, published_hash: bytes) -> None:
        self.computed_seq = computed_seq
        self.published_seq = published_seq
        self.pending: deque[ChainLink] = deque()
        self.pending_size_bytes = 0
        # The log's hashes of links that are still to be computed here, by their last seq.
        self._awaited: dict[int, bytes] = {}
        if published_seq > computed_seq:
            self._awaited[published_seq] = published_hash

    @property
    def ahead(self) -> int:
        """Links that the event log holds and that are still to be computed here, as far as read."""
        return len(self._awaited)

    def add(self, links: Iterable[ChainLink]) -> None:
        """Take what was computed. Raises ChainError when the log holds something else at its seq."""
        for link in links:
            self.computed_seq = link.last_seq
            if link.first_seq <= self.published_seq < link.last_seq:
                raise ChainError(f"the event log ends at seq {self.published_seq}, this engine goes on there")
            if link.last_seq > self.published_seq:
                self.pending.append(link)
                self.pending_size_bytes += len(link.body)
                continue
            published = self._awaited.pop(link.last_seq, None)
            if published is not None:
                _check(link.last_seq, link.hash, published)
            elif self._awaited and next(iter(self._awaited)) < link.last_seq:
                raise ChainError(f"the event log ends within what this engine has up to seq {link.last_seq}")

    def saw(self, links: Iterable[ReadLink]) -> None:
        """Take what the event log holds; repeats of older ones are ignored. Raises ChainError."""
        for link in links:
            last_seq = link.last_seq
            if last_seq <= self.published_seq:
                continue
            if link.first_seq != self.published_seq + 1:
                raise ChainError(f"the event log goes from {self.published_seq} to {link.first_seq}")
            self.published_seq = last_seq
            while self.pending and self.pending[0].last_seq <= last_seq:
                mine = self._pop()
                if mine.last_seq < last_seq:
                    raise ChainError(f"the event log goes on at seq {mine.last_seq}, this engine ends there")
                _check(last_seq, mine.hash, link.hash)
            if self.pending and self.pending[0].first_seq <= last_seq:
                raise ChainError(f"the event log ends at seq {last_seq}, this engine goes on there")
            if last_seq > self.computed_seq:
                self._awaited[last_seq] = link.hash

    def published(self, links: Iterable[ChainLink]) -> None:
        """The log has acknowledged what was taken from `pending`, in order."""
        for link in links:
            assert self.pending[0] is link, "publishes in order"
            self._pop()
            self.published_seq = link.last_seq

    def _pop(self) -> ChainLink:
        link = self.pending.popleft()
        self.pending_size_bytes -= len(link.body)
        return link


def commands_of(links: Iterable[ChainLink]) -> int:
    """How many commands these links answer."""
    return sum(link.commands for link in links)


def _check(seq: int, mine: bytes, published: bytes) -> None:
    if mine != published:
        raise ChainError(f"this engine gives another hash at seq {seq} than the event log holds")


def records_of(shard: int, epoch: int, links: list[ChainLink]) -> list[bytes]:
    """Pack links into as few records as the size limit and their formats allow.

    Raises PoisonError for an outcome that no log takes. Rules version 1 allows such a one, and its command is
    to be treated as one at which the engine stops: nobody can publish what comes of it.
    """
    if len(links) > 1 and links[0].form != links[-1].form:
        # Rules never go back, and so formats do not: there is one border.
        border = next(at for at, link in enumerate(links) if link.form != links[0].form)
        return records_of(shard, epoch, links[:border]) + records_of(shard, epoch, links[border:])
    record = pack_links(shard, epoch, links)
    if len(record) <= RECORD_SIZE_BYTES_MAX:
        return [record]
    if len(links) == 1:
        (link,) = links
        if len(record) > LOG_RECORD_SIZE_BYTES_MAX:
            events = link.last_seq - link.first_seq + 1
            reason = f"its outcome of {events} events and {len(record)} bytes fits no record"
            raise PoisonError(link.command_offset, link.command_index, reason)
        return [record]
    middle = len(links) // 2
    return records_of(shard, epoch, links[:middle]) + records_of(shard, epoch, links[middle:])
