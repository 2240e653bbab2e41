"""Follows the audit log and puts a notice on the queue for each act that its owner is told of: log-ins, new
keys, addresses and sign-ins, freezes. As follower.py does with events.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from exchange.process.components import Resources
from services.notifier.addresses import Addresses
from services.notifier.freeze_links import FreezeLinks
from services.notifier.notices import act_notice
from services.notifier.outlet import Outlet
from services.notifier.positions import NotifierStore
from services.notifier.retries import patience

__all__ = ["ActFollower"]

POLL_INTERVAL_S: Final = 1.0
PAGE_ROWS_MAX: Final = 500


class ActFollower:
    """Component from the audit log's acts to the queue. Ends with FencedError alone."""

    name = "notices-logins"

    def __init__(self, resources: Resources, outlet: Outlet) -> None:
        settings = resources.settings
        self._store = NotifierStore(resources.database, settings.shard, settings.database_deadline_ms)
        self._links = FreezeLinks(resources.database, settings.database_deadline_ms, settings.public_url)
        self._addresses = Addresses(
            resources.database, settings.database_deadline_ms, is_there_mail=bool(settings.notices_mail_from)
        )
        self._outlet = outlet
        self._patience = patience(self.name)
        self.last_id: int | None = None

    async def start(self) -> None:
        """Nothing: `run` finds its place, as often as it takes."""

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            is_full = False
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        is_full = await self._forward()
                    except BaseException:
                        self.last_id = None
                        raise
                    self._patience.worked()
            if not is_full:
                await asyncio.sleep(POLL_INTERVAL_S)

    async def stop(self) -> None:
        """Nothing is kept open."""
        self._patience.problem = "stopped"

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last try worked."""
        return {self.name: self._patience.problem}

    async def _forward(self) -> bool:
        """One page; True when there may be more."""
        if self.last_id is None:
            self.last_id = await self._store.login_position()
        acts, last_id = await self._store.acts_after(self.last_id, PAGE_ROWS_MAX)
        notices = await self._links.add([act_notice(*act) for act in acts])
        await self._outlet.send(await self._addresses.add(notices))
        if last_id == self.last_id:
            return False
        await self._store.move_logins(self.last_id, last_id)
        is_full = last_id - self.last_id >= PAGE_ROWS_MAX
        self.last_id = last_id
        return is_full
