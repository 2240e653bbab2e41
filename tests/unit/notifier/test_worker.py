"""A worker whose queue answers is ready, however long nobody has anything to be told."""

import asyncio
from collections.abc import Sequence

from exchange.ports.messages import Announcement, NewMessage, QueuedMessage
from services.notifier.worker import NoticeWorker
from tests.at_work import eventually


class EmptyQueue:
    """Nothing ever comes: who waits for a message waits."""

    def __init__(self) -> None:
        self.waits_ms: list[int] = []

    async def put(self, messages: Sequence[NewMessage]) -> None:
        raise AssertionError("nobody puts anything")

    async def receive(self, wait_ms: int) -> list[QueuedMessage]:
        self.waits_ms.append(wait_ms)
        if wait_ms:
            await asyncio.Event().wait()
        return []

    async def delete(self, messages: Sequence[QueuedMessage]) -> None:
        assert not messages

    async def retry_later(self, message: QueuedMessage, delay_ms: int) -> None:
        raise AssertionError("there is no message")

    async def dead_count(self) -> int:
        return 0

    async def redrive(self, count_max: int) -> int:
        return 0

    async def close(self) -> None:
        pass


class NoTopic:
    async def publish(self, announcement: Announcement) -> None:
        raise AssertionError("nothing is to be told")

    async def close(self) -> None:
        pass


async def test_it_is_ready_before_the_first_notice_comes() -> None:
    queue = EmptyQueue()
    worker = NoticeWorker(queue, NoTopic())
    working = asyncio.create_task(worker.run())
    await eventually(lambda: len(queue.waits_ms) == 2)
    assert worker.readiness() == {"notices-worker": None}
    assert queue.waits_ms[0] == 0 < queue.waits_ms[1]
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
