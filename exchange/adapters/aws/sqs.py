"""A `MessageQueue` in Amazon SQS: a standard queue with a redrive policy, which makes the dead letters."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from exchange.adapters.aws.calls import AwsCalls
from exchange.ports.messages import RECEIVED_MAX, MessageError, NewMessage, QueuedMessage

__all__ = ["SqsQueue"]

# What SQS takes in one call.
_BATCH_MAX: Final = 10
_BATCHES_AT_ONCE: Final = 4
_HIDDEN_S_MAX: Final = 12 * 3600


class SqsQueue:
    """One queue by its URL. `deadline_ms` bounds each call; a long poll is never longer than half of it."""

    def __init__(self, queue_url: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._url = queue_url
        self._wait_ms_max = deadline_ms // 2
        self._sqs = AwsCalls(
            "sqs",
            deadline_ms=deadline_ms,
            failure=MessageError,
            poll_ms_max=self._wait_ms_max,
            endpoint_url=endpoint_url,
        )
        self._dead_url: str | None = None

    async def put(self, messages: Sequence[NewMessage]) -> None:
        """Send in batches, a few at a time. A repeat is another message: its body tells."""
        await self._send([message.body for message in messages])

    async def receive(self, wait_ms: int) -> list[QueuedMessage]:
        """Long polling: costs a call and a thread, whether or not something comes."""
        return await self._receive(self._url, min(wait_ms, self._wait_ms_max), RECEIVED_MAX)

    async def delete(self, messages: Sequence[QueuedMessage]) -> None:
        """Delete in one call; what could not be deleted raises."""
        await self._delete(self._url, messages)

    async def retry_later(self, message: QueuedMessage, delay_ms: int) -> None:
        """Change how long this delivery stays hidden, in whole seconds."""
        seconds = min(-(-delay_ms // 1000), _HIDDEN_S_MAX)
        await self._sqs.call(
            "hide",
            lambda sqs: sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            ),
        )

    async def dead_count(self) -> int:
        """About how many dead letters wait, as SQS counts them."""
        url = await self._dead_letters()
        answer = await self._sqs.call(
            "count",
            lambda sqs: sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            ),
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    async def redrive(self, count_max: int) -> int:
        """Send each dead letter again, then delete it: after a failure between it is there twice.

        SQS's own task moves a queue as a whole, and cannot be told how many.
        """
        url = await self._dead_letters()
        moved = 0
        while moved < count_max:
            dead = await self._receive(url, 0, min(RECEIVED_MAX, count_max - moved))
            if not dead:
                break
            await self._send([message.body for message in dead])
            await self._delete(url, dead)
            moved += len(dead)
        return moved

    async def close(self) -> None:
        """Let go of the threads."""
        await self._sqs.close()

    async def _send(self, bodies: Sequence[str]) -> None:
        places = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def send(batch: Sequence[str]) -> None:
            entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(batch)]
            async with places:
                answer = await self._sqs.call(
                    "send", lambda sqs: sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
                )
            _refuse_failures("send", answer)

        batches = [bodies[first : first + _BATCH_MAX] for first in range(0, len(bodies), _BATCH_MAX)]
        results = await asyncio.gather(*map(send, batches), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _receive(self, url: str, wait_ms: int, count_max: int) -> list[QueuedMessage]:
        wait_s = wait_ms // 1000
        answer = await self._sqs.call(
            "receive",
            lambda sqs: sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=count_max,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ),
            wait_ms,
        )
        return [
            QueuedMessage(
                message["Body"],
                int(message["Attributes"]["ApproximateReceiveCount"]),
                message["ReceiptHandle"],
            )
            for message in answer.get("Messages", ())
        ]

    async def _delete(self, url: str, messages: Sequence[QueuedMessage]) -> None:
        if not messages:
            return
        assert len(messages) <= _BATCH_MAX
        entries = [{"Id": str(place), "ReceiptHandle": m.receipt} for place, m in enumerate(messages)]
        answer = await self._sqs.call(
            "delete", lambda sqs: sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        )
        _refuse_failures("delete", answer)

    async def _dead_letters(self) -> str:
        """URL of the queue that the redrive policy names; it is in our own account and region."""
        if self._dead_url is None:
            answer = await self._sqs.call(
                "ask for the dead letters",
                lambda sqs: sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"]),
            )
            policy = answer.get("Attributes", {}).get("RedrivePolicy")
            if policy is None:
                raise MessageError(f"sqs: {self._url} has no redrive policy, so it has no dead letters")
            name = msgspec.json.decode(policy)["deadLetterTargetArn"].rsplit(":", 1)[1]
            found = await self._sqs.call(
                "find the dead letters", lambda sqs: sqs.get_queue_url(QueueName=name)
            )
            self._dead_url = str(found["QueueUrl"])
        return self._dead_url


def _refuse_failures(what: str, answer: Mapping[str, Any]) -> None:
    failed = answer.get("Failed", ())
    if failed:
        raise MessageError(f"sqs: {what}: {len(failed)} refused: {failed[0].get('Code', 'unknown')}")
