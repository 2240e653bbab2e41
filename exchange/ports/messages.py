"""Messages that leave the exchange: the ports of queues, of a topic, of mail, of browsers' connections.

Adapters under `exchange.adapters` implement them, once for AWS and once for a machine without it.
Every call has a deadline of the adapter's own, and raises MessageError.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

__all__ = [
    "BODY_SIZE_BYTES_MAX",
    "CONNECTIONS_OF_OWNER_MAX",
    "RECEIVED_MAX",
    "Announcement",
    "Connections",
    "Mailer",
    "MessageError",
    "MessageQueue",
    "NewMessage",
    "Pusher",
    "QueuedMessage",
    "Topic",
    "WebhookSender",
]

# What SQS, SNS and API Gateway take alike; a frame to a browser is at most 32 KiB.
BODY_SIZE_BYTES_MAX: Final = 32_768
# What SQS gives in one answer.
RECEIVED_MAX: Final = 10
# Windows that one identity may have open.
CONNECTIONS_OF_OWNER_MAX: Final = 50


class MessageError(Exception):
    """A queue, a topic or a connection did not take or give a message. What was sent may have arrived."""


class NewMessage(NamedTuple):
    """What a queue is given. `message_id` stays the same when the message is put again."""

    message_id: str
    body: str


class QueuedMessage(NamedTuple):
    """What a queue gives. `attempts` counts from 1; `receipt` names this delivery of it."""

    body: str
    attempts: int
    receipt: str


class MessageQueue(Protocol):
    """A queue that gives every message at least once, and keeps apart what failed too often (dead letters).

    A message that was received is hidden for a while; unless it is deleted it comes again. The queue has
    no order.
    """

    async def put(self, messages: Sequence[NewMessage]) -> None:
        """Keep the messages durably. After an error some of them may have been kept."""
        ...

    async def receive(self, wait_ms: int) -> list[QueuedMessage]:
        """Up to RECEIVED_MAX messages; waits for the first as long as told, and may return none."""
        ...

    async def delete(self, messages: Sequence[QueuedMessage]) -> None:
        """Forget messages that have been dealt with."""
        ...

    async def retry_later(self, message: QueuedMessage, delay_ms: int) -> None:
        """Hide a message for so long from now on."""
        ...

    async def dead_count(self) -> int:
        """How many dead letters there are, about."""
        ...

    async def redrive(self, count_max: int) -> int:
        """Put up to `count_max` dead letters back, with all their attempts before them. Returns how many."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Announcement(NamedTuple):
    """What people are told: `text` for those who read it, `body` for programs that pass it on.

    `attributes` are what subscriptions are filtered by.
    """

    subject: str
    text: str
    body: str
    attributes: Mapping[str, str]


class Topic(Protocol):
    """Brings announcements to people by whatever has subscribed: e-mail, SMS, a queue."""

    async def publish(self, announcement: Announcement) -> None:
        """Hand it over; a repeat is delivered again."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Mailer(Protocol):
    """Sends mail to one person."""

    async def send(self, address: str, subject: str, text: str) -> None:
        """Hand it over; a repeat is sent again."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class WebhookSender(Protocol):
    """Sends to programs of people, at public addresses alone."""

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> int:
        """Send, and return the status of the answer; a redirect is an answer like any other."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Connections(Protocol):
    """Which browsers' connections are whose; an owner is an outside identity (identity.tokens.owner_of)."""

    async def add(self, connection_id: str, owner: str, expires_at_s: int) -> None:
        """Remember a connection until it is removed, or until then (seconds since 1970)."""
        ...

    async def remove(self, connection_id: str) -> None:
        """Forget a connection, if it is there."""
        ...

    async def of_owner(self, owner: str) -> list[str]:
        """Ids of the owner's connections, at most CONNECTIONS_OF_OWNER_MAX of them."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Pusher(Protocol):
    """Sends to browsers' connections."""

    async def push(self, connection_id: str, body: str) -> bool:
        """Send one frame; False when the connection is gone for good."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...
