"""The one place where a password opens something, or its failure is written down."""

from typing import Final

from exchange.security.audit_log import Act
from services.user.people.passwords import Passwords
from services.user.tables.accounts import AccountStore, User

__all__ = ["PASSWORD_ATTEMPTS_MAX", "WrongCredentialsError", "demand_password"]

# Passwords that one session may try within a minute: a stolen one must not become a place for guessing.
PASSWORD_ATTEMPTS_MAX: Final = 5


class WrongCredentialsError(Exception):
    """No account has this address with this password; which of the two is wrong is not told."""


async def demand_password(
    accounts: AccountStore, passwords: Passwords, user: User | None, password: str, failed: Act
) -> User:
    """The user, if it is his password; else `failed` stands in the audit log. It takes as long for nobody's.

    Raises WrongCredentialsError, PasswordsBusyError, and what the store raises.
    """
    matches = await passwords.verify(None if user is None else user.password_hash, password)
    if not matches or user is None:
        await accounts.record(failed)
        raise WrongCredentialsError
    return user
