"""The notifier of a local exchange: with a folder of mails at its end instead of a mail service.

`python -m local.notices` is the process of it that `make stack` keeps.
"""

import sys
from collections.abc import Collection
from typing import Final

from exchange.adapters.files.mails import MailFolder
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.adapters.webhooks.sender import WEBHOOK_DEADLINE_MS, HttpWebhookSender
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.ports.messages import MessageError
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.connections import CONNECTION_ERRORS, acquire
from exchange.process.frame import run_process
from local.mails import folder_of_mails
from local.market_maker.account import house_addresses
from local.options import store_of_house
from services.notifier.component import components_for
from services.notifier.notices import FILL

__all__ = ["notice_components"]

# The market maker's would be most of them, and a trader sees his own in the terminal.
_UNTOLD: Final = frozenset({FILL})


def notice_components(resources: Resources, house: Collection[str] = ()) -> list[Component]:
    """The notifier over the exchange's own database.

    `house`: addresses of the exchange's own bots, to which nothing is written.
    """
    settings = resources.settings
    deadline_ms = settings.database_deadline_ms

    async def address_of(user_id: int) -> str | None:
        try:
            async with acquire(resources.database, deadline_ms) as connection:
                found = await connection.fetchval("SELECT email FROM users WHERE user_id = $1", user_id)
        except CONNECTION_ERRORS as error:
            raise MessageError(f"whose mail it is is not known: {error!r}") from error
        return None if found is None or found in house else str(found)

    queue = DatabaseQueue(resources.database, deadline_ms, settings.notices_attempts_max)
    topic = MailFolder(folder_of_mails(settings.data_dir), address_of)
    webhooks = HttpWebhookSender(WEBHOOK_DEADLINE_MS, loopback=settings.webhook_loopback)
    return components_for(
        resources, queue, topic, None, untold=_UNTOLD, webhooks=webhooks, is_topic_mail=True
    )


async def main(settings: Settings) -> None:
    """Run it over the servers that the settings name."""
    # Kafka's client, which `exchange run` does without.
    from exchange.adapters.chosen.resources import deployed_resources

    async with deployed_resources(settings) as resources:
        house = house_addresses(store_of_house(settings.data_dir.parent))
        components = notice_components(resources, house)
        await serve(operations_app(components), components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
