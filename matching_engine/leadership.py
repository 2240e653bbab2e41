"""Who should lead: a lease tells who is alive (design decision 6). Safety is not its business.

Two processes may both believe that they hold the lease: their events are equal, and the command log says
whose marker came last. So the worst that a wrong belief can do is work done twice.
"""

import logging
from collections.abc import Callable

from exchange.ports.world import Lease, LeaseError, LeaseRecord

__all__ = ["Elector"]

logger = logging.getLogger(__name__)


class Elector:
    """Keeps, takes and gives back a lease for one process.

    A lease is taken over when nothing has been written to it for as long as its holder promised to
    renew it, by this process's own clock: the clocks of two machines are never compared.
    `clock_ms` is monotonic. `holder` must be new for every start of a process.
    """

    def __init__(self, lease: Lease, holder: str, *, duration_ms: int, clock_ms: Callable[[], int]) -> None:
        self.holder = holder
        self.is_holding = False
        self._lease = lease
        self._duration_ms = duration_ms
        self._clock_ms = clock_ms
        self._seen: LeaseRecord | None = None
        self._seen_at_ms = clock_ms()

    @property
    def pause_s(self) -> float:
        """How long to wait between two campaigns: a third of the time that a lease lasts."""
        return self._duration_ms / 3000

    @property
    def sees_leader(self) -> bool:
        """Whether somebody else holds the lease and keeps it."""
        seen = self._seen
        if seen is None or seen.holder in ("", self.holder):
            return False
        return self._clock_ms() - self._seen_at_ms < seen.duration_ms

    async def observe(self) -> None:
        """Note what the lease says now, and take nothing.

        Who recovers for longer than a lease lasts need not wait for its end once more.
        """
        try:
            self._note(await self._lease.read())
        except LeaseError as error:
            logger.warning("the lease cannot be read: %s", error)

    async def campaign(self) -> bool:
        """Renew the lease, or take it if it is free or abandoned. Returns whether this process holds it.

        A keeper that does not answer changes nothing: who led goes on leading, as nobody else can
        have been elected by it.
        """
        try:
            self.is_holding = await self._campaign()
        except LeaseError as error:
            logger.warning("the lease cannot be read or written: %s", error)
        return self.is_holding

    async def _campaign(self) -> bool:
        record = await self._lease.read()
        now_ms = self._note(record)
        if record is not None and record.holder not in ("", self.holder):
            if now_ms - self._seen_at_ms < record.duration_ms:
                return False
            logger.warning("the lease of %s has run out", record.holder)
        written = await self._lease.write(self.holder, self._duration_ms, record)
        if written is None:
            return False
        self._seen, self._seen_at_ms = written, now_ms
        return True

    def _note(self, record: LeaseRecord | None) -> int:
        """Remember since when the lease says this; return the time of now."""
        now_ms = self._clock_ms()
        if record != self._seen:
            self._seen, self._seen_at_ms = record, now_ms
        return now_ms

    async def resign(self) -> None:
        """Give the lease back, so that nobody has to wait for its end."""
        if not self.is_holding:
            return
        self.is_holding = False
        try:
            record = await self._lease.read()
            if record is not None and record.holder == self.holder:
                await self._lease.write("", self._duration_ms, record)
        except LeaseError as error:
            logger.warning("the lease is left to run out: %s", error)
