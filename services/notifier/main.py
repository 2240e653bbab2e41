"""The notifier's process: what happened to an account, to its owner; probes and metrics on HTTP."""

import sys

from exchange.adapters.chosen.notice_channels import browsers, notice_mailer, notice_queue, notice_topic
from exchange.adapters.chosen.resources import deployed_resources
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.ports.messages import Mailer, MessageQueue, Topic
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.notifier.acts import ActFollower
from services.notifier.follower import EventFollower
from services.notifier.outlet import BrowserPush, Outlet
from services.notifier.owners import Owners
from services.notifier.worker import NoticeWorker

__all__ = ["components_for", "main"]

# Of all shards' notifiers, the one that tells of logins, which belong to no shard.
_SHARD_OF_LOGINS = 0


def components_for(
    resources: Resources,
    queue: MessageQueue,
    topic: Topic,
    push: BrowserPush | None,
    mailer: Mailer | None = None,
) -> list[Component]:
    """Event log and audit log -> queue and browsers; queue -> topic and mail, unless a function does that."""
    settings = resources.settings
    outlet = Outlet(queue, push)
    components: list[Component] = [EventFollower(resources, outlet)]
    if settings.shard == _SHARD_OF_LOGINS:
        components.append(ActFollower(resources, outlet))
    if push is not None:
        components.append(push)
    if settings.notices_worker:
        components.append(NoticeWorker(queue, topic, mailer))
    return components


async def main(settings: Settings) -> None:
    """Compose and run the notifier over Kafka, PostgreSQL and the channels that the settings name."""
    windows = browsers(settings)
    async with deployed_resources(settings) as resources:
        queue, topic = notice_queue(settings, resources.database), notice_topic(settings)
        mailer = notice_mailer(settings)
        owners = Owners(resources.database, settings.database_deadline_ms)
        push = None if windows is None else BrowserPush(*windows, owners)
        try:
            components = components_for(resources, queue, topic, push, mailer)
            await serve(operations_app("notifier", components), components, settings)
        finally:
            for channel in (queue, topic, *(windows or ()), *([mailer] if mailer else ())):
                await channel.close()


if __name__ == "__main__":
    sys.exit(run_process(main))
