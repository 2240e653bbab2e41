"""New passwords: by the old one, or by a link that came by mail.

Whoever sets one ends all other sessions with their keys. A link also holds withdrawals for as long as the
end of a freeze does: a mailbox that was taken over is not enough to empty the account before its owner hears.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from exchange.http.addresses import owner_of
from exchange.security.audit_log import Act
from services.user.people.accounts import ATTEMPTS_PER_ADDRESS_MAX, ATTEMPTS_WINDOW_S
from services.user.people.logins import Logins
from services.user.people.password_check import PASSWORD_ATTEMPTS_MAX, demand_password
from services.user.people.passwords import Passwords
from services.user.people.second_factor import SecondFactor
from services.user.people.sessions import Session, Sessions
from services.user.tables.accounts import AccountStore
from services.user.tables.second_factors import PasswordStore

__all__ = ["PasswordChanges", "ResetRefusedError"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Mails that an account is sent within an hour.
RESETS_PER_ACCOUNT_MAX: Final = 3
_RESETS_WINDOW_S: Final = 3_600


class ResetRefusedError(Exception):
    """No such link, too old, or used."""


class PasswordChanges:
    """Raises also what passwords, sessions and the database raise, and TooManyAttemptsError."""

    def __init__(
        self,
        store: PasswordStore,
        accounts: AccountStore,
        sessions: Sessions,
        passwords: Passwords,
        logins: Logins,
        second_factor: SecondFactor,
        *,
        delay_s: int,
        clock_ms: Callable[[], int],
    ) -> None:
        """`delay_s`: how long withdrawals are held after a password was set by a link."""
        self._store = store
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._logins = logins
        self._second_factor = second_factor
        self._delay_ms = delay_s * 1000
        self._clock_ms = clock_ms

    async def demand(self, session: Session, password: str, caller: str) -> None:
        """Let nobody on who does not know the account's password. Raises WrongCredentialsError."""
        await self._sessions.count_attempt(
            "password",
            f"account {session.user_id}",
            attempts_max=PASSWORD_ATTEMPTS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
        user = await self._accounts.user_by_id(session.user_id)
        failed = Act("password-failed", session.user_id, caller, self._clock_ms(), {})
        await demand_password(self._accounts, self._passwords, user, password, failed)

    async def change(
        self, session: Session, current: str, wanted: str, code: str | None, caller: str
    ) -> None:
        """Set a new password. Raises WrongCredentialsError and what `SecondFactor.demand` raises."""
        await self.demand(session, current, caller)
        await self._second_factor.demand(session.user_id, code, caller)
        hashed = await self._passwords.hash(wanted)
        await self._store.change(
            hashed, Act("password-changed", session.user_id, caller, self._clock_ms(), {})
        )
        await self._logins.end_all(session.user_id, caller, but=session.token_hash)

    async def ask_reset(self, email: str, caller: str) -> None:
        """Have a link sent, if there is such an account; nobody is told whether there is."""
        await self._count_reset(caller)
        await self._sessions.count_attempt(
            "reset", f"account {email}", attempts_max=RESETS_PER_ACCOUNT_MAX, window_s=_RESETS_WINDOW_S
        )
        user = await self._accounts.user_by_email(email)
        if user is not None and user.password_hash is not None:
            # The notifier makes the link and sends it: the token is never in this process.
            await self._accounts.record(
                Act("password-reset-asked", user.user_id, caller, self._clock_ms(), {})
            )

    async def reset(self, token: str, wanted: str, code: str | None, caller: str) -> None:
        """Set a new password by a link. Raises ResetRefusedError and what `SecondFactor.demand` raises."""
        await self._count_reset(caller)
        if _TOKEN.fullmatch(token) is None:
            raise ResetRefusedError
        token_hash = hashlib.sha256(token.encode()).digest()
        now_ms = self._clock_ms()
        user_id = await self._store.owner_of_link(token_hash, now_ms)
        if user_id is None:
            raise ResetRefusedError
        await self._second_factor.demand(user_id, code, caller)
        hashed = await self._passwords.hash(wanted)
        act = Act("password-reset", user_id, caller, now_ms, {"held_until_ms": now_ms + self._delay_ms})
        if not await self._store.reset(token_hash, hashed, now_ms + self._delay_ms, act):
            raise ResetRefusedError
        await self._logins.end_all(user_id, caller)

    async def _count_reset(self, caller: str) -> None:
        """Asking for a link and using one are counted together, by address."""
        await self._sessions.count_attempt(
            "reset",
            f"address {owner_of(caller)}",
            attempts_max=ATTEMPTS_PER_ADDRESS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
