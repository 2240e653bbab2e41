"""What each account's owner chose to be told, by which ways; read for the notices of a portion at once."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from exchange.contracts.notice_topics import (
    DEFAULT_WAYS,
    DEPOSITS,
    FILLS,
    KEYS,
    LOGINS,
    WEBHOOK_GIVEN_UP_MAX,
    WITHDRAWALS,
    Ways,
)
from exchange.process.connections import acquire
from services.notifier.notices import (
    API_KEY_MADE,
    DEPOSIT,
    FILL,
    LOGIN,
    MAILED,
    WITHDRAWAL_REFUSED,
    WITHDRAWAL_RESERVED,
    WITHDRAWAL_SETTLED,
    Notice,
)

__all__ = ["BY_DEFAULT", "Chosen", "ChosenWays"]

_TOPIC_OF: Final[Mapping[str, str]] = {
    FILL: FILLS,
    DEPOSIT: DEPOSITS,
    WITHDRAWAL_RESERVED: WITHDRAWALS,
    WITHDRAWAL_SETTLED: WITHDRAWALS,
    WITHDRAWAL_REFUSED: WITHDRAWALS,
    LOGIN: LOGINS,
    API_KEY_MADE: KEYS,
}
# What guards the account itself is told by every way that there is: a thief must not choose it away.
_ALWAYS: Final = Ways(True, True, True)
_PEOPLE: Final = """
SELECT p.user_id, a.address, w.user_id IS NOT NULL AS has_webhook
FROM unnest($1::bigint[]) AS p (user_id)
LEFT JOIN notice_addresses a ON a.user_id = p.user_id
LEFT JOIN webhooks w ON w.user_id = p.user_id AND w.given_up < $2
WHERE a.user_id IS NOT NULL OR w.user_id IS NOT NULL
"""
_CHOICES: Final = (
    "SELECT user_id, topic, mail, webhook, browser FROM notice_choices WHERE user_id = ANY($1::bigint[])"
)


class Chosen(NamedTuple):
    """The ways of one notice.

    `address`: where it goes by mail, "" for no mail; None where nobody has said yes to mail.
    """

    address: str | None
    webhook: bool
    browser: bool


BY_DEFAULT: Final = Chosen(None, False, True)


class ChosenWays:
    """Reads the user service's tables of choices."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
        self._database = database
        self._deadline_ms = deadline_ms

    async def of(self, notices: Sequence[Notice]) -> list[Chosen]:
        """The ways of each. What is for its owner's mail alone has none here.

        Raises one of process.connections.CONNECTION_ERRORS.
        """
        user_ids = sorted({notice.user_id for notice in notices if notice.kind not in MAILED})
        if not user_ids:
            return [Chosen(None, False, False)] * len(notices)
        async with acquire(self._database, self._deadline_ms) as connection:
            people = await connection.fetch(_PEOPLE, user_ids, WEBHOOK_GIVEN_UP_MAX)
            choices = await connection.fetch(_CHOICES, user_ids)
        reachable = {row["user_id"]: (row["address"], row["has_webhook"]) for row in people}
        chosen = {(row["user_id"], row["topic"]): Ways(*row[2:]) for row in choices}

        def ways(notice: Notice) -> Chosen:
            if notice.kind in MAILED:
                return Chosen(None, False, False)
            topic = _TOPIC_OF.get(notice.kind)
            wanted = chosen.get((notice.user_id, topic), DEFAULT_WAYS[topic]) if topic else _ALWAYS
            address, has_webhook = reachable.get(notice.user_id, (None, False))
            if address is not None and not wanted.mail:
                address = ""
            return Chosen(address, has_webhook and wanted.webhook, wanted.browser)

        return [ways(notice) for notice in notices]
