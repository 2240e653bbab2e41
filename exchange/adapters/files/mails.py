"""A `Topic` as mails in a folder, for where no mail is sent: one file each, as a mail program opens them."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final

from exchange.ports.messages import Announcement, MessageError

__all__ = ["MAILS_MAX", "MailFolder"]

MAILS_MAX: Final = 1_000
_SENDER: Final = "exchange@localhost"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


class MailFolder:
    """Writes to `folder`, which its owner alone may read: mails hold links that set passwords.

    `address_of`: the e-mail address of an account, None for one that has none; then nobody is told. The same
    notice again replaces its file. The newest MAILS_MAX are kept.
    """

    def __init__(
        self, folder: Path, address_of: Callable[[int], Awaitable[str | None]], mails_max: int = MAILS_MAX
    ) -> None:
        self._folder = folder
        self._address_of = address_of
        self._mails_max = mails_max
        self._turn = asyncio.Lock()

    async def publish(self, announcement: Announcement) -> None:
        """Write one mail. Raises MessageError, and what `address_of` raises."""
        address = await self._address_of(int(announcement.attributes["user_id"]))
        if address is None:
            return
        mail = EmailMessage()
        mail["From"], mail["To"] = _SENDER, address
        mail["Subject"], mail["Date"] = announcement.subject, formatdate()
        mail["Message-ID"] = f"<{announcement.attributes['notice_id']}@localhost>"
        mail.set_content(announcement.text)
        name = _UNSAFE.sub("_", announcement.attributes["notice_id"])
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, self._folder / f"{name}.eml", mail.as_bytes())
            except OSError as error:
                raise MessageError(f"{name}.eml: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".partial")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
        mails = list(self._folder.glob("*.eml"))
        if len(mails) > self._mails_max:
            # A tenth at once: the folder is not to be looked through for each mail.
            kept = self._mails_max - self._mails_max // 10
            for old in sorted(mails, key=lambda mail: mail.stat().st_mtime_ns)[:-kept]:
                old.unlink()
