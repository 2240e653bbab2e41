"""What people choose about their notices: topics, ways, and what holds until somebody chooses. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = [
    "DEFAULT_WAYS",
    "DEPOSITS",
    "FILLS",
    "KEYS",
    "LOGINS",
    "TEST_KIND",
    "TOPICS",
    "WEBHOOK_GIVEN_UP_MAX",
    "WEBHOOK_WAITING_MAX",
    "WITHDRAWALS",
    "Ways",
    "webhook_secret_place",
]

FILLS: Final = "FILLS"
DEPOSITS: Final = "DEPOSITS"
WITHDRAWALS: Final = "WITHDRAWALS"
LOGINS: Final = "LOGINS"
KEYS: Final = "KEYS"
TOPICS: Final = (FILLS, DEPOSITS, WITHDRAWALS, LOGINS, KEYS)
# Kind of the notice that a person sends to his own webhook.
TEST_KIND: Final = "TEST"
# Notices of one account that wait for its webhook; what comes beyond them is dropped.
WEBHOOK_WAITING_MAX: Final = 1_000
# Notices in a row that were given up, after which nothing is sent until its owner sets the webhook anew.
WEBHOOK_GIVEN_UP_MAX: Final = 10


class Ways(NamedTuple):
    """By which ways somebody is told: mail where the address has said yes, a webhook where there is one."""

    mail: bool
    webhook: bool
    browser: bool


# Fills come by the hundred: whoever wants mail about them says so.
DEFAULT_WAYS: Final[Mapping[str, Ways]] = {topic: Ways(topic != FILLS, True, True) for topic in TOPICS}


def webhook_secret_place(user_id: int) -> bytes:
    """Where the key of an account's webhook belongs, for the ring that seals it."""
    return b"webhook secret" + user_id.to_bytes(8)
