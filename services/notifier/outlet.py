"""Where new notices go: onto the queue, which must take them, and to open browsers, which may miss them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs
from prometheus_client import Counter

from exchange.ports.messages import (
    Connections,
    MessageQueue,
    NewMessage,
    Pusher,
)
from services.notifier.notices import MAILED, Notice
from services.notifier.owners import Owners
from services.notifier.retries import RETRYABLE
from services.notifier.ways.chosen import BY_DEFAULT, Chosen, ChosenWays
from services.notifier.ways.webhook_deliveries import WebhookDeliveries

__all__ = ["BrowserPush", "Outlet"]

logger = logging.getLogger(__name__)

WAITING_MAX: Final = 10_000
WORKERS: Final = 8

_queued_total = Counter("exchange_notices_queued_total", "Notices put on the queue.", ["kind"])
_pushed_total = Counter("exchange_notices_pushed_total", "Notices sent to a browser's connection.")
_gone_total = Counter("exchange_notices_connections_gone_total", "Connections found gone and forgotten.")
_missed_total = Counter(
    "exchange_notices_push_missed_total", "Notices that browsers did not get by push.", ["reason"]
)


class BrowserPush:
    """Component that pushes notices to browsers, each once and in no promised order.

    A connection stands under the outside identity that opened it; an account may have several of those. A
    browser that misses a notice sees the same in its account: nothing is tried again, and when too many wait
    the oldest are dropped.
    """

    name = "notices-push"

    def __init__(self, connections: Connections, pusher: Pusher, owners: Owners) -> None:
        self._connections = connections
        self._pusher = pusher
        self._owners = owners
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(WAITING_MAX)
        self._problem: str | None = None

    def add(self, notice: Notice) -> None:
        """Take a notice, dropping the oldest when there are too many."""
        if self._waiting.full():
            self._waiting.get_nowait()
            _missed_total.labels("overload").inc()
        self._waiting.put_nowait(notice)

    async def start(self) -> None:
        """Nothing to recover."""

    async def run(self) -> None:
        """Push until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work(), name=self.name)

    async def stop(self) -> None:
        """What still waits is not pushed."""

    def readiness(self) -> Mapping[str, str | None]:
        """Ready even where nobody can be reached: people are told by the queue."""
        return {self.name: None}

    async def _work(self) -> None:
        while True:
            notice = await self._waiting.get()
            try:
                await self.push(notice)
                problem = None
            except RETRYABLE as error:
                _missed_total.labels("failure").inc()
                problem = f"{type(error).__name__}: {error}"
            if problem != self._problem:
                logger.warning("%s: %s", self.name, problem or "works again")
                self._problem = problem

    async def push(self, notice: Notice) -> None:
        """Send to every connection of the account's identities, and forget those that are gone.

        Raises MessageError, and what Owners raises.
        """
        body = notice.encode()
        for owner in await self._owners.of_user(notice.user_id):
            for connection_id in await self._connections.of_owner(owner):
                if await self._pusher.push(connection_id, body):
                    _pushed_total.inc()
                else:
                    await self._connections.remove(connection_id)
                    _gone_total.inc()


class Outlet:
    """Puts notices on the queue, for the topic, and for mail where it was chosen; in a table, for webhooks.

    Then it shows them to browsers, where there are any. `untold`: kinds that do not go to the topic.
    `is_topic_mail`: the topic is where mail is written here, so that who chose about mail chose about it.
    """

    def __init__(
        self,
        queue: MessageQueue,
        push: BrowserPush | None,
        untold: frozenset[str] = frozenset(),
        ways: ChosenWays | None = None,
        webhooks: WebhookDeliveries | None = None,
        *,
        is_there_mail: bool = False,
        is_topic_mail: bool = False,
    ) -> None:
        self._queue = queue
        self._push = push
        self._untold = untold
        self._ways = ways
        self._webhooks = webhooks
        self._is_there_mail = is_there_mail
        self._is_topic_mail = is_topic_mail

    async def send(self, notices: Sequence[Notice]) -> None:
        """Returns when queue and table have taken all.

        Raises MessageError, and one of process.connections.CONNECTION_ERRORS; then repeat the whole.
        """
        if not notices:
            return
        ways = [BY_DEFAULT] * len(notices) if self._ways is None else await self._ways.of(notices)
        told = list(zip(notices, ways, strict=True))
        published = [notice for notice, chosen in told if self._goes_to_topic(notice, chosen)]
        messages = [NewMessage(notice.notice_id, notice.encode()) for notice in published]
        if self._is_there_mail:
            messages += [
                NewMessage(
                    f"{notice.notice_id}.mail", structs.replace(notice, address=chosen.address).encode()
                )
                for notice, chosen in told
                if chosen.address
            ]
        if messages:
            await self._queue.put(messages)
        if self._webhooks is not None:
            await self._webhooks.add([notice for notice, chosen in told if chosen.webhook])
        for notice in published:
            _queued_total.labels(notice.kind).inc()
        for notice, chosen in told:
            is_shown = chosen.browser and notice.kind not in self._untold
            if self._push is not None and is_shown and notice.kind not in MAILED:
                self._push.add(notice)

    def _goes_to_topic(self, notice: Notice, chosen: Chosen) -> bool:
        if self._is_topic_mail and chosen.address is not None:
            return bool(chosen.address)
        return notice.kind not in self._untold
