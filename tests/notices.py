"""Notices for tests."""

from services.notifier.notices import Notice, act_notice

__all__ = ["login_notice", "reset_notice"]


def login_notice(act_id: int, user_id: int, time_ms: int, ip: str) -> Notice:
    """Of a row of the audit log that tells of a log-in."""
    return act_notice("log-in", act_id, user_id, time_ms, ip, {})


def reset_notice(act_id: int, user_id: int) -> Notice:
    """Of a row that tells that somebody asked for a new password; without link and address."""
    return act_notice("password-reset-asked", act_id, user_id, 1, "::1", {})
