"""Promises of the queue and of the topic, kept alike by AWS's (emulated, over HTTP) and this machine's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import boto3
import msgspec
import pytest

from exchange.adapters.aws.sns import SnsTopic
from exchange.adapters.aws.sqs import SqsQueue
from exchange.adapters.files.topic import FileTopic
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.ports.messages import (
    Announcement,
    MessageError,
    MessageQueue,
    NewMessage,
    QueuedMessage,
    Topic,
)
from exchange.process.components import Resources
from local.servers import free_port
from services.notifier.notices import Notice
from services.notifier.worker import NoticeWorker
from tests.integration.notifier.conftest import ATTEMPTS_MAX, Estate, arrived
from tests.notices import login_notice

pytestmark = pytest.mark.integration

Read = Callable[[], list[Notice]]


@pytest.fixture(params=["database", "sqs"])
async def queue(
    request: pytest.FixtureRequest, resources: Resources, estate: Estate
) -> AsyncIterator[MessageQueue]:
    opened: MessageQueue
    if request.param == "database":
        opened = DatabaseQueue(resources.database, 5_000, ATTEMPTS_MAX)
    else:
        opened = SqsQueue(estate.queue_url, 5_000)
    yield opened
    await opened.close()


@pytest.fixture(params=["file", "sns"])
async def topic(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Topic, Read]]:
    """A topic, and what has reached its subscription."""
    opened: Topic
    if request.param == "file":
        path = tmp_path / "notices.jsonl"
        opened = FileTopic(path)

        def read() -> list[Notice]:
            return [
                Notice.decode(msgspec.json.decode(line)["body"]) for line in path.read_bytes().splitlines()
            ]

    else:
        estate: Estate = request.getfixturevalue("estate")
        opened = SnsTopic(estate.topic_arn, 5_000)

        def read() -> list[Notice]:
            return [Notice.decode(body["Message"]) for body in arrived(estate.subscriber_url)]

    yield opened, read
    await opened.close()


def message(number: int) -> NewMessage:
    notice = login_notice(number, 1001, 1_700_000_000_000, "192.0.2.7")
    return NewMessage(notice.notice_id, notice.encode())


async def all_of(queue: MessageQueue) -> list[QueuedMessage]:
    found: list[QueuedMessage] = []
    while some := await queue.receive(0):
        found += some
    return found


async def exhaust(queue: MessageQueue) -> None:
    """Take and give back, until nothing comes any more."""
    for _ in range(ATTEMPTS_MAX):
        for taken in await all_of(queue):
            await queue.retry_later(taken, 0)
    assert await queue.receive(0) == []


async def test_what_was_put_comes_and_is_hidden_until_it_is_deleted(queue: MessageQueue) -> None:
    put = [message(number) for number in range(25)]
    await queue.put(put)
    taken = await all_of(queue)
    assert {one.body for one in taken} == {one.body for one in put}
    assert len(taken) == 25
    assert {one.attempts for one in taken} == {1}
    assert await queue.receive(100) == []
    for first in range(0, 25, 10):
        await queue.delete(taken[first : first + 10])
    assert await queue.dead_count() == 0


async def test_what_was_not_dealt_with_comes_again_and_counts(queue: MessageQueue) -> None:
    await queue.put([message(1)])
    for attempt in range(1, ATTEMPTS_MAX + 1):
        (taken,) = await queue.receive(0)
        assert taken.attempts == attempt
        await queue.retry_later(taken, 0)
    assert await queue.receive(0) == []
    assert await queue.dead_count() == 1


async def test_a_deleted_message_never_comes_again(queue: MessageQueue) -> None:
    await queue.put([message(1)])
    (taken,) = await queue.receive(0)
    await queue.delete([taken])
    await queue.delete([])
    assert await queue.receive(0) == []
    assert await queue.redrive(10) == 0


async def test_redrive_brings_dead_letters_back_up_to_the_limit(queue: MessageQueue) -> None:
    await queue.put([message(number) for number in range(15)])
    await exhaust(queue)
    assert await queue.dead_count() == 15
    assert await queue.redrive(12) == 12
    assert await queue.dead_count() == 3
    taken = await all_of(queue)
    assert len(taken) == 12
    assert {one.attempts for one in taken} == {1}
    assert await queue.redrive(100) == 3


async def test_poison_ends_in_the_dead_letters_while_the_rest_flows(
    queue: MessageQueue, topic: tuple[Topic, Read]
) -> None:
    opened, read = topic
    worker = NoticeWorker(queue, opened, retry_delay_ms=0)
    await queue.put([message(1), NewMessage("poison", "{not a notice"), message(2)])
    while await worker.work_once(0):
        pass
    await queue.put([message(3)])
    while await worker.work_once(0):
        pass
    assert {notice.notice_id for notice in read()} == {"login.1", "login.2", "login.3"}
    assert await queue.dead_count() == 1
    assert await queue.redrive(10) == 1
    (back,) = await queue.receive(0)
    assert back.body == "{not a notice"


async def test_a_notice_reaches_the_subscription(topic: tuple[Topic, Read]) -> None:
    opened, read = topic
    notice = login_notice(7, 1001, 1_700_000_000_000, "192.0.2.7")
    attributes = {"user_id": "1001", "kind": "LOGIN"}
    await opened.publish(Announcement("Somebody logged in", notice.text, notice.encode(), attributes))
    assert read() == [notice]


async def test_subscriptions_are_filtered_by_user(estate: Estate) -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=estate.topic_arn)["Subscriptions"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue='{"user_id": ["1002"]}',
    )
    queue, topic = SqsQueue(estate.queue_url, 5_000), SnsTopic(estate.topic_arn, 5_000)
    notices = [login_notice(number, user_id, 1, "::1") for number, user_id in enumerate((1001, 1002, 1003))]
    await queue.put([NewMessage(notice.notice_id, notice.encode()) for notice in notices])
    assert await NoticeWorker(queue, topic).work_once(0) == 3
    assert [Notice.decode(body["Message"]) for body in arrived(estate.subscriber_url)] == [notices[1]]
    for opened in (queue, topic):
        await opened.close()
    for client in (sqs, sns):
        client.close()


async def test_a_topic_that_is_away_pauses_the_worker_and_loses_nothing(resources: Resources) -> None:
    class Away:
        async def publish(self, announcement: Announcement) -> None:
            raise MessageError("away")

        async def close(self) -> None:
            return None

    queue = DatabaseQueue(resources.database, 5_000, ATTEMPTS_MAX)
    await queue.put([message(1), message(2)])
    with pytest.raises(MessageError, match="away"):
        await NoticeWorker(queue, Away(), retry_delay_ms=0).work_once(0)
    assert {taken.attempts for taken in await all_of(queue)} == {2}


async def test_servers_that_are_away_are_errors_with_a_name(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere)
    queue = SqsQueue(f"{nowhere}/1/queue", 2_000)
    with pytest.raises(MessageError, match="sqs: send"):
        await queue.put([message(1)])
    monkeypatch.setenv("AWS_ENDPOINT_URL", estate.endpoint)
    topic = SnsTopic(f"{estate.topic_arn}-other", 2_000)
    with pytest.raises(MessageError, match="sns: publish: refused: NotFound"):
        await topic.publish(Announcement("s", "t", "b", {"kind": "LOGIN"}))
    for opened in (queue, topic):
        await opened.close()


async def test_a_message_that_waits_is_not_put_twice_into_the_database(resources: Resources) -> None:
    queue = DatabaseQueue(resources.database, 5_000, ATTEMPTS_MAX)
    for _ in range(3):
        await queue.put([message(1), message(2)])
    assert len(await all_of(queue)) == 2


async def test_two_workers_never_get_the_same_message(resources: Resources) -> None:
    queue = DatabaseQueue(resources.database, 5_000, ATTEMPTS_MAX)
    await queue.put([message(number) for number in range(40)])
    taken = [one for some in await asyncio.gather(*(queue.receive(0) for _ in range(6))) for one in some]
    taken += await all_of(queue)
    assert len(taken) == len({one.body for one in taken}) == 40


async def test_the_file_of_the_topic_does_not_grow_for_ever(tmp_path: Path) -> None:
    topic = FileTopic(tmp_path / "notices.jsonl", size_bytes_max=1_000)
    for number in range(100):
        await topic.publish(Announcement("s", "t" * 100, str(number), {}))
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1_000
