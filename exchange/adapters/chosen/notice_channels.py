"""The ways to people that the settings name: AWS's, or those that need nothing but this machine."""

from typing import Final, NamedTuple

import asyncpg

from exchange.adapters.aws.browser_connections import ApiGatewayPusher, DynamoConnections
from exchange.adapters.aws.ses import SesMailer
from exchange.adapters.aws.sns import SnsTopic
from exchange.adapters.aws.sqs import SqsQueue
from exchange.adapters.files.topic import FileTopic
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.ports.messages import Connections, Mailer, MessageQueue, Pusher, Topic
from exchange.process.config import Settings, SettingsError

__all__ = ["Browsers", "browsers", "notice_mailer", "notice_queue", "notice_topic"]

# In data_dir.
FILE_NAME: Final = "notices.jsonl"


class Browsers(NamedTuple):
    """Who is connected, and the way there."""

    connections: Connections
    pusher: Pusher


def notice_queue(settings: Settings, database: "asyncpg.Pool[asyncpg.Record]") -> MessageQueue:
    """SQS, or a table of the database."""
    if settings.notices_queue_url:
        return SqsQueue(settings.notices_queue_url, settings.notices_deadline_ms)
    return DatabaseQueue(database, settings.database_deadline_ms, settings.notices_attempts_max)


def notice_topic(settings: Settings) -> Topic:
    """SNS, or a file."""
    if settings.notices_topic_arn:
        return SnsTopic(settings.notices_topic_arn, settings.notices_deadline_ms)
    return FileTopic(settings.data_dir / FILE_NAME)


def notice_mailer(settings: Settings) -> Mailer | None:
    """SES, or none: then everything goes to the topic."""
    if not settings.notices_mail_from:
        return None
    return SesMailer(settings.notices_mail_from, settings.notices_deadline_ms)


def browsers(settings: Settings) -> Browsers | None:
    """API Gateway's connections, or none. Raises SettingsError when half of it is named."""
    table, url = settings.notices_connections_table, settings.notices_connections_url
    if not (table or url):
        return None
    if not (table and url):
        raise SettingsError("notices_connections_table and notices_connections_url: both or neither")
    deadline_ms = settings.notices_deadline_ms
    return Browsers(DynamoConnections(table, deadline_ms), ApiGatewayPusher(url, deadline_ms))
