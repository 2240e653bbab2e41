"""Mails of a local exchange: written to its folder instead of sent, and shown to whoever owns it."""

from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

from exchange.adapters.files.mails import MailFolder
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.adapters.webhooks.sender import WEBHOOK_DEADLINE_MS, HttpWebhookSender
from exchange.ports.messages import MessageError
from exchange.process.components import Component, Resources
from exchange.process.connections import CONNECTION_ERRORS, acquire
from services.notifier.component import components_for
from services.notifier.notices import FILL

__all__ = ["folder_of_mails", "notice_components", "shown"]

# The market maker's would be most of them, and a trader sees his own in the terminal.
_UNTOLD: Final = frozenset({FILL})


def folder_of_mails(state: Path) -> Path:
    """Where the mails of an exchange with this state are."""
    return state / "mails"


def notice_components(resources: Resources) -> list[Component]:
    """The notifier over the exchange's own database, with a folder at its end."""
    settings = resources.settings
    deadline_ms = settings.database_deadline_ms

    async def address_of(user_id: int) -> str | None:
        try:
            async with acquire(resources.database, deadline_ms) as connection:
                found = await connection.fetchval("SELECT email FROM users WHERE user_id = $1", user_id)
        except CONNECTION_ERRORS as error:
            raise MessageError(f"whose mail it is is not known: {error!r}") from error
        return None if found is None else str(found)

    queue = DatabaseQueue(resources.database, deadline_ms, settings.notices_attempts_max)
    topic = MailFolder(folder_of_mails(settings.data_dir), address_of)
    webhooks = HttpWebhookSender(WEBHOOK_DEADLINE_MS, loopback=settings.webhook_loopback)
    return components_for(
        resources, queue, topic, None, untold=_UNTOLD, webhooks=webhooks, is_topic_mail=True
    )


def shown(folder: Path, count: int) -> list[str]:
    """The newest mails as text, the newest last. Raises OSError."""
    mails = sorted(folder.glob("*.eml"), key=lambda mail: mail.stat().st_mtime_ns)[-count:]
    lines = []
    for path in mails:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        body = mail.get_body()
        text = "" if body is None else str(body.get_content()).strip()
        lines.append(f"{mail['Date']}  to {mail['To']}\n{mail['Subject']}\n{text}\n")
    return lines
