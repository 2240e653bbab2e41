"""The outcomes of a link of the chain, audited one after the other as they are read. Pure."""

from collections.abc import Sequence

from mypy_extensions import i64

from exchange.contracts.codec import CodecError
from exchange.contracts.event_unpacking import LinkReader, ReadOutcome
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import Breach

__all__ = ["LinkAudit"]


class LinkAudit:
    """Takes links that follow each other, whose hashes have been checked, and stops where it is told.

    `events` and `outcomes` count what it has audited.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._read = ReadOutcome()
        self._link: LinkReader | None = None
        self._digest = b""
        self.events: i64 = 0
        self.outcomes: i64 = 0

    @property
    def is_between(self) -> bool:
        """Whether all of the link has been audited."""
        return self._link is None

    def begin(self, body: bytes, digest: bytes) -> None:
        """A link that follows; `digest`: the chain's hash behind it. Raises CodecError."""
        assert self._link is None, "one link after the other"
        self._link, self._digest = LinkReader(body), digest

    def go_on(self, events_max: int, until_seq: int) -> Sequence[Breach]:
        """Audit outcomes until so many events are done, or the one with `until_seq`; what they broke.

        A gap, and bytes that are no events, are breaches (I7).
        """
        link, audit, read = self._link, self._audit, self._read
        assert link is not None, "begin comes before go_on"
        state, chain = audit.state, audit.state.hash
        done: i64 = 0
        most: i64 = events_max
        while done < most and state.seq < until_seq:
            try:
                is_more = link.read(read)
            except CodecError as error:
                return [Breach(state.seq + 1, "I7", str(error))]
            first_seq: int = read.first_seq
            if first_seq != state.seq + 1:
                return [Breach(state.seq + 1, "I7", f"expected seq {state.seq + 1}, the log has {first_seq}")]
            count = read.events.count
            done += count
            self.events += count
            self.outcomes += 1
            breaches = audit.apply_read(read, chain if is_more else self._digest)
            if breaches:
                return breaches
            if not is_more:
                self._link = None
                break
        return ()
