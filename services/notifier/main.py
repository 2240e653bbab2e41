"""The notifier's process: what happened to an account, to its owner; probes and metrics on HTTP."""

import sys

from exchange.adapters.chosen.notice_channels import browsers, notice_mailer, notice_queue, notice_topic
from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.webhooks.sender import WEBHOOK_DEADLINE_MS, HttpWebhookSender
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.notifier.component import components_for
from services.notifier.outlet import BrowserPush
from services.notifier.owners import Owners

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Compose and run the notifier over Kafka, PostgreSQL and the channels that the settings name."""
    windows = browsers(settings)
    async with deployed_resources(settings) as resources:
        queue, topic = notice_queue(settings, resources.database), notice_topic(settings)
        mailer = notice_mailer(settings)
        owners = Owners(resources.database, settings.database_deadline_ms)
        push = None if windows is None else BrowserPush(*windows, owners)
        try:
            webhooks = HttpWebhookSender(WEBHOOK_DEADLINE_MS, loopback=settings.webhook_loopback)
            components = components_for(resources, queue, topic, push, mailer, webhooks=webhooks)
            await serve(operations_app(components), components, settings)
        finally:
            for channel in (queue, topic, *(windows or ()), *([mailer] if mailer else ())):
                await channel.close()


if __name__ == "__main__":
    sys.exit(run_process(main))
