"""A second factor: six digits from a secret and the time (RFC 6238), each good once.

Once it is on, a log-in, a lasting API key, a withdrawal, an address, and a new password need it.
"""

import base64
from collections.abc import Callable
from typing import Final

from exchange.security.audit_log import Act
from exchange.security.key_ring import KeyRing
from exchange.security.one_time_codes import authenticator_uri, new_secret, steps_of_code
from services.user.people.sessions import Sessions
from services.user.tables.accounts import AccountStore
from services.user.tables.second_factors import Factor, SecondFactorStore

__all__ = [
    "SecondFactor",
    "SecondFactorNeededError",
    "SecondFactorOffError",
    "SecondFactorOnError",
    "SecondFactorWrongError",
]

ATTEMPTS_MAX: Final = 6
ATTEMPTS_WINDOW_S: Final = 60


class SecondFactorNeededError(Exception):
    """The account has a second factor, and no code was sent."""


class SecondFactorWrongError(Exception):
    """The code is not one of now, or was used already."""


class SecondFactorOnError(Exception):
    """There is one already."""


class SecondFactorOffError(Exception):
    """There is none, or none that was begun."""


class SecondFactor:
    """Raises also DatabaseUnavailableError, CacheUnavailableError, KeyRingError, TooManyAttemptsError."""

    def __init__(
        self,
        store: SecondFactorStore,
        accounts: AccountStore,
        sessions: Sessions,
        key_ring: KeyRing,
        *,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._sessions = sessions
        self._key_ring = key_ring
        self._clock_ms = clock_ms

    async def is_on(self, user_id: int) -> bool:
        """Whether the account needs codes."""
        factor = await self._store.of_user(user_id)
        return factor is not None and factor.is_on

    async def begin(self, user_id: int) -> tuple[str, str]:
        """A new secret in Base32, and the address that authenticators read. Raises SecondFactorOnError.

        Nothing needs it until `confirm`.
        """
        secret = new_secret()
        sealed = await self._key_ring.seal(secret, _place(user_id))
        if not await self._store.put(user_id, sealed, self._clock_ms()):
            raise SecondFactorOnError
        user = await self._accounts.user_by_id(user_id)
        name = "" if user is None else user.email
        return base64.b32encode(secret).decode(), authenticator_uri(secret, name)

    async def confirm(self, user_id: int, code: str, caller: str) -> None:
        """Switch it on: the first code shows that its owner has it.

        Raises SecondFactorOffError, SecondFactorOnError, SecondFactorWrongError.
        """
        factor = await self._store.of_user(user_id)
        if factor is None:
            raise SecondFactorOffError
        if factor.is_on:
            raise SecondFactorOnError
        await self._check(user_id, factor, code, caller)
        await self._store.confirm(Act("second-factor-on", user_id, caller, self._clock_ms(), {}))

    async def demand(self, user_id: int, code: str | None, caller: str) -> None:
        """Take a code, where the account has a factor.

        Raises SecondFactorNeededError, SecondFactorWrongError.
        """
        factor = await self._store.of_user(user_id)
        if factor is None or not factor.is_on:
            return
        if not code:
            raise SecondFactorNeededError
        await self._check(user_id, factor, code, caller)

    async def remove(self, user_id: int, code: str, caller: str) -> None:
        """Switch it off; who calls has checked the password. Raises SecondFactorOffError, …WrongError."""
        factor = await self._store.of_user(user_id)
        if factor is None or not factor.is_on:
            raise SecondFactorOffError
        await self._check(user_id, factor, code, caller)
        await self._store.remove(Act("second-factor-off", user_id, caller, self._clock_ms(), {}))

    async def _check(self, user_id: int, factor: Factor, code: str, caller: str) -> None:
        # Six digits are few: the window's limit is the protection.
        await self._sessions.count_attempt(
            "second-factor",
            f"account {user_id}",
            attempts_max=ATTEMPTS_MAX,
            window_s=ATTEMPTS_WINDOW_S,
        )
        secret = await self._key_ring.open(factor.secret_encrypted, _place(user_id))
        for step in steps_of_code(secret, code, self._clock_ms()):
            if await self._store.use_step(user_id, step):
                return
        await self._accounts.record(Act("second-factor-failed", user_id, caller, self._clock_ms(), {}))
        raise SecondFactorWrongError


def _place(user_id: int) -> bytes:
    return b"second factor" + user_id.to_bytes(8)
