"""What people chose about their notices, in PostgreSQL; a change and its audit entry happen together."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from exchange.contracts.notice_topics import WEBHOOK_WAITING_MAX, Ways
from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database

__all__ = ["MailShown", "NoticeStore", "WebhookShown"]

_CHOOSE: Final = """
INSERT INTO notice_choices (user_id, topic, mail, webhook, browser)
SELECT $1, c.topic, c.mail, c.webhook, c.browser
FROM unnest($2::text[], $3::boolean[], $4::boolean[], $5::boolean[]) AS c (topic, mail, webhook, browser)
ON CONFLICT (user_id, topic) DO UPDATE
SET mail = excluded.mail, webhook = excluded.webhook, browser = excluded.browser
"""
_SAY_YES: Final = """
INSERT INTO notice_addresses (user_id, address, confirmed_ms)
SELECT user_id, email, $2 FROM users WHERE user_id = $1 AND email IS NOT NULL
ON CONFLICT (user_id) DO UPDATE SET address = excluded.address, confirmed_ms = excluded.confirmed_ms
RETURNING address
"""
_PUT_HOOK: Final = """
INSERT INTO webhooks (user_id, url, secret_encrypted, made_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id) DO UPDATE SET url = excluded.url, secret_encrypted = excluded.secret_encrypted,
    made_ms = excluded.made_ms, given_up = 0, last_ms = NULL, last_result = NULL
"""


class MailShown(NamedTuple):
    """The account's address, and since when it wants mail; None: it has not said so."""

    address: str
    confirmed_ms: int | None


class WebhookShown(NamedTuple):
    """Where notices go, and what came of the last one."""

    url: str
    made_ms: int
    given_up: int
    last_ms: int | None
    last_result: str | None


class NoticeStore:
    """Everything raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def choices(self, user_id: int) -> dict[str, Ways]:
        """What was chosen; topics about which nothing was are not in it."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT topic, mail, webhook, browser FROM notice_choices WHERE user_id = $1", user_id
            )
        return {row["topic"]: Ways(*row[1:]) for row in rows}

    async def choose(self, wanted: Mapping[str, Ways], act: Act) -> None:
        """Keep choices for the account of the act."""
        columns: Sequence[list[object]] = [
            list(wanted),
            *(list(one) for one in zip(*wanted.values(), strict=True)),
        ]
        async with self._database.transaction() as connection:
            await connection.execute(_CHOOSE, act.user_id, *columns)
            await audit_log.append(connection, act)

    async def mail(self, user_id: int) -> MailShown:
        """Whether the account gets mail."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT coalesce(a.address, u.email, '') AS address, a.confirmed_ms FROM users u "
                "LEFT JOIN notice_addresses a USING (user_id) WHERE u.user_id = $1",
                user_id,
            )
        return MailShown("", None) if row is None else MailShown(*row)

    async def confirm_mail(self, token_hash: bytes, now_ms: int, ip: str) -> bool:
        """The owner of a link wants mail; False for no such link, one too old or used."""
        async with self._database.transaction() as connection:
            user_id = await connection.fetchval(
                "UPDATE notice_address_tokens SET used_ms = $2 "
                "WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 RETURNING user_id",
                *(token_hash, now_ms),
            )
            if user_id is None or await connection.fetchval(_SAY_YES, user_id, now_ms) is None:
                return False
            await audit_log.append(connection, Act("notice-mail-confirmed", user_id, ip, now_ms, {}))
        return True

    async def end_mail(self, act: Act) -> bool:
        """No mail any more; False when there was none."""
        async with self._database.transaction() as connection:
            ended = await connection.fetchval(
                "DELETE FROM notice_addresses WHERE user_id = $1 RETURNING true", act.user_id
            )
            if ended:
                await audit_log.append(connection, act)
        return bool(ended)

    async def webhook(self, user_id: int) -> WebhookShown | None:
        """The account's webhook."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT url, made_ms, given_up, last_ms, last_result FROM webhooks WHERE user_id = $1",
                user_id,
            )
        return None if row is None else WebhookShown(*row)

    async def put_webhook(self, url: str, secret_encrypted: bytes, act: Act) -> None:
        """Tell notices there from now on; what waited for another place is forgotten."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM webhook_deliveries WHERE user_id = $1", act.user_id)
            await connection.execute(_PUT_HOOK, act.user_id, url, secret_encrypted, act.time_ms)
            await audit_log.append(connection, act)

    async def remove_webhook(self, act: Act) -> bool:
        """Tell them nowhere; False when there was none."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM webhook_deliveries WHERE user_id = $1", act.user_id)
            removed = await connection.fetchval(
                "DELETE FROM webhooks WHERE user_id = $1 RETURNING true", act.user_id
            )
            if removed:
                await audit_log.append(connection, act)
        return bool(removed)

    async def add_delivery(self, user_id: int, notice_id: str, body: str, now_ms: int) -> bool:
        """Let a notice wait for the account's webhook; False where there is none, or too many wait."""
        async with self._database.connection() as connection:
            return bool(
                await connection.fetchval(
                    "INSERT INTO webhook_deliveries (user_id, notice_id, body, due_ms) "
                    "SELECT user_id, $2, $3, $4 FROM webhooks WHERE user_id = $1 AND "
                    "(SELECT count(*) FROM webhook_deliveries WHERE user_id = $1) < $5 RETURNING true",
                    *(user_id, notice_id, body, now_ms, WEBHOOK_WAITING_MAX),
                )
            )

    async def record(self, act: Act) -> None:
        """An audit entry alone."""
        async with self._database.transaction() as connection:
            await audit_log.append(connection, act)
