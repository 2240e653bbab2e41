"""From the queue to people: take, send, delete. What fails comes again later, and at last is a dead letter.

`deliver` is the work itself; the component here does it in a process, services/notifier/aws_lambda/main.py
when SQS calls.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import Counter, Gauge

from exchange.ports.messages import Announcement, Mailer, MessageError, MessageQueue, QueuedMessage, Topic
from services.notifier.notices import MAILED, Notice, NoticeError, subject_of
from services.notifier.retries import patience

__all__ = ["NoticeWorker", "deliver"]

logger = logging.getLogger(__name__)

RECEIVE_WAIT_MS: Final = 5_000
# A message that failed for the nth time is hidden so long times 2 ** n.
RETRY_DELAY_MS: Final = 10_000
RETRY_DELAY_MS_MAX: Final = 300_000
DEAD_INTERVAL_S: Final = 15.0

_sent_total = Counter("exchange_notices_sent_total", "Notices that the topic has taken.", ["kind"])
_failed_total = Counter(
    "exchange_notices_failed_total", "Deliveries of a notice that failed, by what failed.", ["reason"]
)
_dead = Gauge("exchange_notices_dead", "Dead letters: notices that failed too often and wait for a person.")


async def deliver(
    bodies: Sequence[str], topic: Topic, mailer: Mailer | None
) -> dict[int, NoticeError | MessageError]:
    """Send notices to their people, each apart from the others; place -> what was wrong with it."""
    failures: dict[int, NoticeError | MessageError] = {}

    async def one(place: int, body: str) -> None:
        try:
            notice = Notice.decode(body)
            if mailer is None or not (notice.address or notice.kind in MAILED):
                await topic.publish(_announcement(notice))
            elif notice.address:
                await mailer.send(notice.address, subject_of(notice), notice.text)
            else:
                raise NoticeError(f"no address: {notice.notice_id}")
        except NoticeError as error:
            failures[place] = error
            _failed_total.labels("unreadable").inc()
        except MessageError as error:
            failures[place] = error
            _failed_total.labels("refused").inc()
        else:
            _sent_total.labels(notice.kind).inc()

    await asyncio.gather(*(one(place, body) for place, body in enumerate(bodies)))
    return dict(sorted(failures.items()))


def _announcement(notice: Notice) -> Announcement:
    attributes = {"user_id": str(notice.user_id), "kind": notice.kind, "notice_id": notice.notice_id}
    return Announcement(subject_of(notice), notice.text, notice.encode(), attributes)


class NoticeWorker:
    """Component that empties the queue. Waits for ever for the queue, and says so in `readiness`."""

    name = "notices-worker"

    def __init__(
        self,
        queue: MessageQueue,
        topic: Topic,
        mailer: Mailer | None = None,
        *,
        retry_delay_ms: int = RETRY_DELAY_MS,
    ) -> None:
        self._queue = queue
        self._topic = topic
        self._mailer = mailer
        self._retry_delay_ms = retry_delay_ms
        self._patience = patience(self.name)
        self._dead_patience = patience("notices-dead")

    async def start(self) -> None:
        """Nothing to recover: the queue knows."""

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._empty(), name=self.name)
            group.create_task(self._watch_dead(), name=f"{self.name}-dead")

    async def stop(self) -> None:
        """What was taken and not deleted comes again."""
        self._patience.problem = "stopped"

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the queue answers. A topic that refuses shows in the dead letters."""
        return {self.name: self._patience.problem}

    async def work_once(self, wait_ms: int) -> int:
        """Take what the queue gives, deliver it; how many were taken.

        Raises MessageError when the queue fails, or when the topic took nothing of what could be read:
        then it may be away, and whatever else were taken now would only come nearer to the dead letters.
        """
        messages = await self._queue.receive(wait_ms)
        failures = await deliver([message.body for message in messages], self._topic, self._mailer)
        await self._queue.delete([m for place, m in enumerate(messages) if place not in failures])
        for place, problem in failures.items():
            message = messages[place]
            logger.warning("%s: attempt %d: %s", self.name, message.attempts, problem)
            await self._queue.retry_later(message, self._delay_ms(message))
        refused = [problem for problem in failures.values() if isinstance(problem, MessageError)]
        if refused and len(failures) == len(messages):
            raise refused[0]
        return len(messages)

    def _delay_ms(self, message: QueuedMessage) -> int:
        # Beyond that many doublings the longest delay is reached anyway.
        doublings: int = 2 ** min(message.attempts, 20)
        return min(self._retry_delay_ms * doublings, RETRY_DELAY_MS_MAX)

    async def _empty(self) -> None:
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    # Not known to answer: whoever asks whether we work does not wait for the first notice.
                    await self.work_once(RECEIVE_WAIT_MS if self._patience.problem is None else 0)
                    self._patience.worked()

    async def _watch_dead(self) -> None:
        while True:
            async for attempt in self._dead_patience.attempts():
                with attempt:
                    _dead.set(await self._queue.dead_count())
            await asyncio.sleep(DEAD_INTERVAL_S)
