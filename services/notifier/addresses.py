"""The address of an account, for the notices that go by mail."""

from collections.abc import Sequence

import asyncpg
import msgspec

from exchange.process.connections import acquire
from services.notifier.notices import MAILED, Notice

__all__ = ["Addresses"]

_ADDRESSES = "SELECT user_id, email FROM users WHERE user_id = ANY($1::bigint[])"


class Addresses:
    """Reads the user service's table `users`. Where there is no mail it adds nothing."""

    def __init__(
        self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int, *, is_there_mail: bool
    ) -> None:
        self._database = database
        self._deadline_ms = deadline_ms
        self._is_there_mail = is_there_mail

    async def add(self, notices: Sequence[Notice]) -> list[Notice]:
        """The notices, with addresses where they go by mail.

        Raises one of process.connections.CONNECTION_ERRORS.
        """
        wanted = {notice.user_id for notice in notices if notice.kind in MAILED}
        if not self._is_there_mail or not wanted:
            return list(notices)
        async with acquire(self._database, self._deadline_ms) as connection:
            rows = await connection.fetch(_ADDRESSES, sorted(wanted))
        of_user = {row["user_id"]: row["email"] for row in rows}
        return [
            msgspec.structs.replace(notice, address=of_user.get(notice.user_id, ""))
            if notice.kind in MAILED
            else notice
            for notice in notices
        ]
