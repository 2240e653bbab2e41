"""Links in notices, made here and kept as hashes: they freeze withdrawals, set a password, say yes to mail.

Who holds one of the first may freeze that one account, once, and nothing else
(services/user/people/withdrawal_freezes.py); who holds one of the others may set its password, once and soon
(services/user/people/password_changes.py).
It leads to a page whose button sends it; the token stands behind the `#`, which goes to no server and into no
log, and looking at the page does nothing.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from exchange.process.connections import acquire
from exchange.wall_clock import clock_ms
from services.notifier.notices import FREEZABLE, MAIL_ASKED, PASSWORD_RESET, Notice

__all__ = ["LIFETIME_MS", "FreezeLinks"]

# Longer than a new withdrawal address waits (a day), and than people are away from their mail.
LIFETIME_MS: Final = 7 * 86_400_000
RESET_LIFETIME_MS: Final = 30 * 60_000
MAIL_LIFETIME_MS: Final = 86_400_000
_TOKEN_SIZE_BYTES: Final = 32
_EXPIRED_ROWS_MAX: Final = 1_000

_KEEP: Final = """
INSERT INTO withdrawal_freeze_tokens (token_hash, user_id, expires_ms)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])
"""
_FORGET: Final = """
DELETE FROM withdrawal_freeze_tokens WHERE token_hash IN (
    SELECT token_hash FROM withdrawal_freeze_tokens WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2
)
"""
_KEEP_RESETS: Final = _KEEP.replace("withdrawal_freeze_tokens", "password_reset_tokens")
_FORGET_RESETS: Final = _FORGET.replace("withdrawal_freeze_tokens", "password_reset_tokens")
_KEEP_MAILS: Final = _KEEP.replace("withdrawal_freeze_tokens", "notice_address_tokens")
_FORGET_MAILS: Final = _FORGET.replace("withdrawal_freeze_tokens", "notice_address_tokens")


class FreezeLinks:
    """Adds links to the notices that need one. Without a `public_url` it adds none."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int, public_url: str) -> None:
        self._database = database
        self._deadline_ms = deadline_ms
        self._public_url = public_url.rstrip("/")

    async def add(self, notices: Sequence[Notice]) -> list[Notice]:
        """The notices, with links where they belong. Raises one of process.connections.CONNECTION_ERRORS.

        A notice that is made twice gets two links: either works.
        """
        if not self._public_url:
            return list(notices)
        freezable = [notice for notice in notices if notice.kind in FREEZABLE]
        resets = [notice for notice in notices if notice.kind == PASSWORD_RESET]
        tokens = await self._made(freezable, _KEEP, _FORGET, LIFETIME_MS)
        tokens |= await self._made(resets, _KEEP_RESETS, _FORGET_RESETS, RESET_LIFETIME_MS)
        mails = [notice for notice in notices if notice.kind == MAIL_ASKED]
        tokens |= await self._made(mails, _KEEP_MAILS, _FORGET_MAILS, MAIL_LIFETIME_MS)
        return [self._with_link(notice, tokens.get(notice.notice_id)) for notice in notices]

    async def _made(
        self, wanted: Sequence[Notice], keep: str, forget: str, lifetime_ms: int
    ) -> dict[str, str]:
        """A token for each notice, kept as a hash."""
        if not wanted:
            return {}
        tokens = {notice.notice_id: secrets.token_urlsafe(_TOKEN_SIZE_BYTES) for notice in wanted}
        now_ms = clock_ms()
        hashes = [hashlib.sha256(tokens[notice.notice_id].encode()).digest() for notice in wanted]
        users = [notice.user_id for notice in wanted]
        async with acquire(self._database, self._deadline_ms) as connection:
            await connection.execute(keep, hashes, users, [now_ms + lifetime_ms] * len(wanted))
            await connection.execute(forget, now_ms, _EXPIRED_ROWS_MAX)
        return tokens

    def _with_link(self, notice: Notice, token: str | None) -> Notice:
        if token is None:
            return notice
        # The terminal opens them. At "/" is the page before it, whose script would only lead on.
        page = f"{self._public_url}/terminal/"
        if notice.kind == MAIL_ASKED:
            url = f"{page}#mail={token}"
            text = f"{notice.text} If you want it, say so within a day: {url}"
            return msgspec.structs.replace(notice, fields={**notice.fields, "mailUrl": url}, text=text)
        if notice.kind == PASSWORD_RESET:
            url = f"{page}#reset={token}"
            text = f"{notice.text} To set it, within half an hour: {url}"
            return msgspec.structs.replace(notice, fields={**notice.fields, "resetUrl": url}, text=text)
        url = f"{page}#freeze={token}"
        return msgspec.structs.replace(
            notice,
            fields={**notice.fields, "freezeUrl": url},
            text=f"{notice.text} If it was not you, freeze your withdrawals: {url}",
        )
