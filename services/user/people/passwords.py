"""Passwords: argon2id in a few threads, with a bounded queue before them."""

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["Passwords", "PasswordsBusyError"]

# The first choice of OWASP's password storage cheat sheet for argon2id: 19 MiB, 2 passes, 1 lane.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1


class PasswordsBusyError(Exception):
    """Too many passwords are waiting to be hashed; try again."""


class Passwords:
    """Hashes and verifies, off the event loop. `waiting_max` bounds the queue, `deadline_ms` the wait."""

    def __init__(self, *, threads: int = 2, waiting_max: int = 100, deadline_ms: int = 10_000) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._waiting_max = waiting_max
        self._waiting = 0
        self._deadline_s = deadline_ms / 1000
        # Verified in place of a hash that does not exist, so that time does not tell who has an account.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """The text to store. Raises PasswordsBusyError."""
        return await self._in_thread(password, None)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`; None takes as long, and is False.

        Raises PasswordsBusyError.
        """
        matches = await self._in_thread(password, stored or self._nobody) == "ok"
        return matches and stored is not None

    def close(self) -> None:
        """Drop what waits; threads end with what they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, password: str, stored: str | None) -> str:
        if self._waiting >= self._waiting_max:
            raise PasswordsBusyError(f"{self._waiting} passwords are waiting")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._deadline_s):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._work, password, stored)
        except TimeoutError:
            raise PasswordsBusyError("no thread was free in time") from None
        finally:
            self._waiting -= 1

    def _work(self, password: str, stored: str | None) -> str:
        # Keyboards send the same letters composed or not (RFC 8265, OpaqueString).
        normal = unicodedata.normalize("NFC", password)
        if stored is None:
            return self._hasher.hash(normal)
        try:
            return "ok" if self._hasher.verify(stored, normal) else ""
        except (VerificationError, InvalidHashError):
            return ""
