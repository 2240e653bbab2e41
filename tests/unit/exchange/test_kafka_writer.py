"""Promises of the writer in exchange/adapters/kafka/log.py: one timer for all, a deadline for each record."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from exchange.adapters.kafka.log import _KafkaWriter
from exchange.ports.world import LogError, LogTimeoutError
from tests.unit.exchange.test_deadlines import CountingLoop

DEADLINE_MS = 30


class Producer:
    """Takes records as aiokafka's does: `send` may have to wait for room, then its future for brokers."""

    def __init__(self, *, has_room: bool = True, answers: bool = True) -> None:
        self.sent: list[bytes] = []
        self._has_room, self._answers = has_room, answers

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        assert (topic, partition) == ("topic", 0)
        if not self._has_room:
            await asyncio.Event().wait()
        self.sent.append(value)
        taken: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._answers:
            offset = len(self.sent) - 1
            asyncio.get_running_loop().call_soon(taken.set_result, SimpleNamespace(offset=offset))
        return taken


def writer(producer: Producer, deadline_ms: int = DEADLINE_MS) -> _KafkaWriter:
    return _KafkaWriter(cast(AIOKafkaProducer, producer), "topic", deadline_ms)


def test_a_thousand_records_make_one_timer() -> None:
    async def work() -> None:
        kafka = writer(Producer(), 60_000)
        assert [await kafka.append(b"x") for _ in range(1_000)] == list(range(1_000))
        assert len(kafka._deadlines._watched) <= 1, "what is done is forgotten"

    loop = CountingLoop()
    loop.run_until_complete(work())
    loop.close()
    assert loop.timers == 1


@pytest.mark.parametrize(
    "producer", [Producer(has_room=False), Producer(answers=False)], ids=["room", "answer"]
)
async def test_whatever_it_waits_for_has_a_deadline(producer: Producer) -> None:
    kafka = writer(producer)
    one, other = await asyncio.gather(kafka.append(b"1"), kafka.append(b"2"), return_exceptions=True)
    assert isinstance(one, LogTimeoutError)
    assert isinstance(other, LogTimeoutError)


async def test_who_is_cancelled_meanwhile_is_not_told_of_a_deadline() -> None:
    appending = asyncio.create_task(writer(Producer(answers=False), 60_000).append(b"1"))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending


async def test_after_its_deadline_the_next_record_has_its_own() -> None:
    producer = Producer(answers=False)
    kafka = writer(producer)
    with pytest.raises(LogTimeoutError):
        await kafka.append(b"1")
    producer._answers = True
    assert await kafka.append(b"2") == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "nothing is left of the deadline"


async def test_a_record_that_no_log_takes_is_refused_before_anything_waits() -> None:
    producer = Producer()
    with pytest.raises(LogError):
        await writer(producer).append(b"x" * 2_000_000)
    assert not producer.sent
