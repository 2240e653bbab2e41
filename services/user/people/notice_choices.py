"""What an account's owner is told, and by which ways: his choices, the yes of his address, his webhook.

The notifier sends (services/notifier/ways). Whoever has taken a session over can change all of it, so each
change is told itself, by every way that there was; and what guards the account cannot be chosen away.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from exchange.contracts.notice_topics import (
    DEFAULT_WAYS,
    TEST_KIND,
    WEBHOOK_GIVEN_UP_MAX,
    Ways,
    webhook_secret_place,
)
from exchange.http.addresses import owner_of
from exchange.security.audit_log import Act
from exchange.security.key_ring import KeyRing
from exchange.security.webhook_targets import TargetRefusedError, target_of
from services.user.people.accounts import ATTEMPTS_PER_ADDRESS_MAX, ATTEMPTS_WINDOW_S
from services.user.people.sessions import Sessions
from services.user.tables.notices import MailShown, NoticeStore, WebhookShown

__all__ = [
    "MailLinkRefusedError",
    "NoMailAddressError",
    "NoticeChoices",
    "NoticesShown",
    "WebhookMissingError",
    "WebhookRefusedError",
]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Mails with a link that an account is sent within an hour, and webhooks that it tries within a minute.
MAILS_MAX: Final = 3
_MAILS_WINDOW_S: Final = 3_600
TESTS_MAX: Final = 6
_TESTS_WINDOW_S: Final = 60
_SECRET_SIZE_BYTES: Final = 32


class MailLinkRefusedError(Exception):
    """No such link, too old, or used."""


class NoMailAddressError(Exception):
    """The account has no address, or has not said yes to mail."""


class WebhookMissingError(Exception):
    """The account has no webhook, or too many notices wait for it."""


class WebhookRefusedError(Exception):
    """Nothing is sent to this URL; says why."""


class NoticesShown(NamedTuple):
    """All that an owner sees of it."""

    ways: Mapping[str, Ways]
    mail: MailShown
    webhook: WebhookShown | None

    @property
    def is_webhook_paused(self) -> bool:
        """Whether too many notices in a row were given up."""
        return self.webhook is not None and self.webhook.given_up >= WEBHOOK_GIVEN_UP_MAX


class NoticeChoices:
    """Raises also DatabaseUnavailableError, CacheUnavailableError, KeyRingError, TooManyAttemptsError."""

    def __init__(
        self,
        store: NoticeStore,
        sessions: Sessions,
        key_ring: KeyRing,
        *,
        webhook_loopback: bool,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._key_ring = key_ring
        self._webhook_loopback = webhook_loopback
        self._clock_ms = clock_ms

    async def shown(self, user_id: int) -> NoticesShown:
        """What holds now, for every topic."""
        ways = {**DEFAULT_WAYS, **await self._store.choices(user_id)}
        return NoticesShown(ways, await self._store.mail(user_id), await self._store.webhook(user_id))

    async def choose(self, user_id: int, wanted: Mapping[str, Ways], caller: str) -> None:
        """Keep choices; topics that are not named stay as they are."""
        detail = {topic: ways._asdict() for topic, ways in sorted(wanted.items())}
        await self._store.choose(wanted, self._act("notices-changed", user_id, caller, detail))

    async def ask_mail(self, user_id: int, caller: str) -> None:
        """Have a link sent to the account's address, by which it says yes. Raises NoMailAddressError."""
        if not (await self._store.mail(user_id)).address:
            raise NoMailAddressError
        await self._sessions.count_attempt(
            "notice-mail", f"account {user_id}", attempts_max=MAILS_MAX, window_s=_MAILS_WINDOW_S
        )
        await self._store.record(self._act("notice-mail-asked", user_id, caller))

    async def confirm_mail(self, token: str, caller: str) -> None:
        """The link was opened. Raises MailLinkRefusedError."""
        await self._sessions.count_attempt(
            "notice-mail-link",
            f"address {owner_of(caller)}",
            attempts_max=ATTEMPTS_PER_ADDRESS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
        digest = hashlib.sha256(token.encode()).digest()
        if not _TOKEN.fullmatch(token) or not await self._store.confirm_mail(
            digest, self._clock_ms(), caller
        ):
            raise MailLinkRefusedError

    async def end_mail(self, user_id: int, caller: str) -> None:
        """No mail any more. Raises NoMailAddressError."""
        if not await self._store.end_mail(self._act("notice-mail-ended", user_id, caller)):
            raise NoMailAddressError

    async def put_webhook(self, user_id: int, url: str, caller: str) -> str:
        """Tell notices there from now on; the key that signs them, told this once.

        Raises WebhookRefusedError.
        """
        try:
            target_of(url, loopback=self._webhook_loopback)
        except TargetRefusedError as error:
            raise WebhookRefusedError(str(error)) from None
        secret = secrets.token_hex(_SECRET_SIZE_BYTES)
        sealed = await self._key_ring.seal(secret.encode(), webhook_secret_place(user_id))
        await self._store.put_webhook(url, sealed, self._act("webhook-set", user_id, caller, {"url": url}))
        return secret

    async def remove_webhook(self, user_id: int, caller: str) -> None:
        """Tell them nowhere. Raises WebhookMissingError."""
        if not await self._store.remove_webhook(self._act("webhook-removed", user_id, caller)):
            raise WebhookMissingError

    async def test_webhook(self, user_id: int) -> None:
        """Send a notice that says nothing. Raises WebhookMissingError."""
        await self._sessions.count_attempt(
            "webhook-test", f"account {user_id}", attempts_max=TESTS_MAX, window_s=_TESTS_WINDOW_S
        )
        now_ms = self._clock_ms()
        notice_id = f"test.{user_id}.{now_ms}"
        notice = {"noticeId": notice_id, "userId": user_id, "kind": TEST_KIND, "time": now_ms, "fields": {}}
        body = msgspec.json.encode(notice | {"text": "This is a test."}).decode()
        if not await self._store.add_delivery(user_id, notice_id, body, now_ms):
            raise WebhookMissingError

    def _act(self, act: str, user_id: int, caller: str, detail: Mapping[str, object] | None = None) -> Act:
        return Act(act, user_id, caller, self._clock_ms(), detail or {})
