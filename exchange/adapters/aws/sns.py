"""A `Topic` in Amazon SNS. Whoever subscribes gets what its own protocol can show."""

from typing import Final

import msgspec

from exchange.adapters.aws.calls import AwsCalls
from exchange.ports.messages import Announcement, MessageError

__all__ = ["SnsTopic"]

# For those who read; everybody else gets the whole body.
_READERS: Final = ("email", "sms")


class SnsTopic:
    """One topic by its ARN. Subscriptions are filtered by the announcement's attributes."""

    def __init__(self, topic_arn: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._arn = topic_arn
        self._sns = AwsCalls("sns", deadline_ms=deadline_ms, failure=MessageError, endpoint_url=endpoint_url)

    async def publish(self, announcement: Announcement) -> None:
        """Publish one message in as many forms as there are kinds of readers. Raises MessageError."""
        forms = {"default": announcement.body} | dict.fromkeys(_READERS, announcement.text)
        message = msgspec.json.encode(forms).decode()
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in announcement.attributes.items()
        }
        await self._sns.call(
            "publish",
            lambda sns: sns.publish(
                TopicArn=self._arn,
                Subject=announcement.subject,
                Message=message,
                MessageStructure="json",
                MessageAttributes=attributes,
            ),
        )

    async def close(self) -> None:
        """Let go of the threads."""
        await self._sns.close()
