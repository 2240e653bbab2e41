"""Ids that must take effect once: a bounded memory of the newest ones (invariant I11)."""

from exchange.contracts.limits import IDS_REMEMBERED_MAX


class IdWindow:
    """Remembers the last IDS_REMEMBERED_MAX ids. Ids at or below the highest forgotten one count as seen.

    Senders draw ids from a growing sequence, so an id below the window is a repeat, not news.
    """

    def __init__(self) -> None:
        self.forgotten_max = 0
        self.seen: dict[int, bool] = {}

    def contains(self, identifier: int) -> bool:
        """Whether the id has taken effect before."""
        return identifier <= self.forgotten_max or identifier in self.seen

    def add(self, identifier: int) -> None:
        """Remember an id."""
        self.seen[identifier] = True
        if len(self.seen) > IDS_REMEMBERED_MAX:
            oldest = next(iter(self.seen))
            del self.seen[oldest]
            self.forgotten_max = max(self.forgotten_max, oldest)
