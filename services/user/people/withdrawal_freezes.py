"""The owner's brake: a link from a notice freezes withdrawals at once, the password ends it a while later.

A link can freeze and nothing else, works without a log-in, and only by POST: a mail scanner that looks at it
does nothing. Whoever has stolen a session, but not the password, cannot take the brake off; whoever has both
has to wait, while the owner, who is told, can pull it again.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from exchange.http.addresses import owner_of
from exchange.security.audit_log import Act
from services.user.people.accounts import ATTEMPTS_PER_ADDRESS_MAX, ATTEMPTS_WINDOW_S
from services.user.people.password_check import PASSWORD_ATTEMPTS_MAX, demand_password
from services.user.people.passwords import Passwords
from services.user.people.sessions import Session, Sessions
from services.user.tables.accounts import AccountStore
from services.user.tables.freezes import Freeze, FreezeStore, FreezeTokenRefusedError

__all__ = ["WithdrawalFreezes"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class WithdrawalFreezes:
    """Freezes, their end, and what holds. Raises also DatabaseUnavailableError, CacheUnavailableError."""

    def __init__(
        self,
        store: FreezeStore,
        accounts: AccountStore,
        sessions: Sessions,
        passwords: Passwords,
        *,
        delay_s: int,
        clock_ms: Callable[[], int],
    ) -> None:
        """`delay_s`: how long a freeze still holds after its owner asked for its end."""
        self._store = store
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._delay_ms = delay_s * 1000
        self._clock_ms = clock_ms

    async def freeze(self, token: str, caller: str) -> int:
        """Freeze by a link's token; since when. Raises FreezeTokenRefusedError, TooManyAttemptsError.

        Tries count by address whatever they are: 256 bits are not guessed, but nobody shall ask for free.
        """
        await self._sessions.count_attempt(
            "withdrawal-freeze",
            f"address {owner_of(caller)}",
            attempts_max=ATTEMPTS_PER_ADDRESS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
        if _TOKEN.fullmatch(token) is None:
            raise FreezeTokenRefusedError
        return await self._store.freeze_by_token(
            hashlib.sha256(token.encode()).digest(), self._clock_ms(), caller
        )

    async def freeze_own(self, session: Session, caller: str) -> int:
        """Freeze one's own account; since when. It ends as one by a link does."""
        return await self._store.freeze_own(session.user_id, self._clock_ms(), caller)

    async def unfreeze(self, session: Session, password: str, caller: str) -> int:
        """Let the owner's freeze end; the moment from which money may leave again.

        Raises WrongCredentialsError, TooManyAttemptsError, NotFrozenError, PasswordsBusyError.
        """
        await self._sessions.count_attempt(
            "withdrawal-unfreeze",
            f"account {session.user_id}",
            attempts_max=PASSWORD_ATTEMPTS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
        user = await self._accounts.user_by_id(session.user_id)
        now_ms = self._clock_ms()
        failed = Act("withdrawals-unfreeze-failed", session.user_id, caller, now_ms, {})
        await demand_password(self._accounts, self._passwords, user, password, failed)
        return await self._store.end_later(session.user_id, now_ms, now_ms + self._delay_ms, caller)

    async def of_user(self, user_id: int) -> list[Freeze]:
        """What holds now."""
        return await self._store.of_user(user_id, self._clock_ms())
