"""What the notifier is made of, whoever runs it: a process of its own, or an exchange on one machine."""

from exchange.ports.messages import Mailer, MessageQueue, Topic, WebhookSender
from exchange.process.components import Component, Resources
from exchange.security.key_ring import KeyRing
from services.notifier.acts import ActFollower
from services.notifier.follower import EventFollower
from services.notifier.outlet import BrowserPush, Outlet
from services.notifier.ways.chosen import ChosenWays
from services.notifier.ways.webhook_deliveries import WebhookDeliveries
from services.notifier.ways.webhook_worker import WebhookWorker
from services.notifier.worker import NoticeWorker

__all__ = ["components_for"]

# Of all shards' notifiers, the one that tells of logins, which belong to no shard.
_SHARD_OF_LOGINS = 0


def components_for(
    resources: Resources,
    queue: MessageQueue,
    topic: Topic,
    push: BrowserPush | None,
    mailer: Mailer | None = None,
    untold: frozenset[str] = frozenset(),
    webhooks: WebhookSender | None = None,
    *,
    is_topic_mail: bool = False,
) -> list[Component]:
    """Event log and audit log -> queue, browsers, webhooks; queue -> topic and mail, unless a function does.

    `untold`, `is_topic_mail`: see Outlet. Raises KeyRingError: webhooks without a key wrapper.
    """
    settings = resources.settings
    deadline_ms = settings.database_deadline_ms
    deliveries = WebhookDeliveries(resources.database, deadline_ms)
    outlet = Outlet(
        queue,
        push,
        untold,
        ChosenWays(resources.database, deadline_ms),
        None if webhooks is None else deliveries,
        is_there_mail=bool(settings.notices_mail_from),
        is_topic_mail=is_topic_mail,
    )
    components: list[Component] = [EventFollower(resources, outlet)]
    if settings.shard == _SHARD_OF_LOGINS:
        components.append(ActFollower(resources, outlet))
        # Of all shards' notices: one process sends to an account, one request at a time.
        if webhooks is not None:
            components.append(WebhookWorker(deliveries, webhooks, KeyRing.from_resources(resources)))
    if push is not None:
        components.append(push)
    if settings.notices_worker:
        components.append(NoticeWorker(queue, topic, mailer))
    return components
