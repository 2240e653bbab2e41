"""What the notifier is made of, whoever runs it: a process of its own, or an exchange on one machine."""

from exchange.ports.messages import Mailer, MessageQueue, Topic
from exchange.process.components import Component, Resources
from services.notifier.acts import ActFollower
from services.notifier.follower import EventFollower
from services.notifier.outlet import BrowserPush, Outlet
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
) -> list[Component]:
    """Event log and audit log -> queue and browsers; queue -> topic and mail, unless a function does that.

    `untold`: kinds of notices that nobody is told of here.
    """
    settings = resources.settings
    outlet = Outlet(queue, push, untold)
    components: list[Component] = [EventFollower(resources, outlet)]
    if settings.shard == _SHARD_OF_LOGINS:
        components.append(ActFollower(resources, outlet))
    if push is not None:
        components.append(push)
    if settings.notices_worker:
        components.append(NoticeWorker(queue, topic, mailer))
    return components
