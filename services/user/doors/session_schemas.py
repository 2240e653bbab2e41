"""What a person is shown of sessions and of what happened to the account."""

from services.user.doors.schemas import Sent

__all__ = ["SecurityEventList", "SecurityEventShown", "SessionList", "SessionShown", "SessionsEnded"]


class SessionShown(Sent):
    """A session that is alive. `agent` is what the client called itself: a hint, no proof."""

    session_id: int
    ip: str
    agent: str
    begun_at: int
    expires_at: int
    is_current: bool


class SessionList(Sent):
    """The account's sessions, the newest first; those of outside sign-ins are not among them."""

    sessions: list[SessionShown]


class SessionsEnded(Sent):
    """How many sessions were ended."""

    ended: int


class SecurityEventShown(Sent):
    """A line of the audit log: log-ins and failed ones, keys, addresses, freezes, passwords."""

    event_id: int
    time: int
    ip: str
    act: str


class SecurityEventList(Sent):
    """A page of the account's lines of the audit log, the newest first."""

    events: list[SecurityEventShown]
