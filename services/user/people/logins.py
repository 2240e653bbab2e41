"""Sessions with all that hangs on them: what their owner sees, and keys that end when they end (ADR 0033).

A session lives in the cache (sessions.py) and is written down in PostgreSQL. It may end without a word: its
time is over, or the cache has lost it. A sweep finds these, so that no key outlives its session by more than
half a minute; keys whose session's time is over are not found in any case (exchange/security/credentials.py).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import redis.asyncio

from exchange.security.audit_log import Act
from exchange.security.credentials import announce_revocation
from services.user.people.sessions import SESSIONS_PER_USER_MAX, CacheUnavailableError, Session, Sessions
from services.user.tables.database import DatabaseUnavailableError
from services.user.tables.login_sessions import LoginSession, LoginSessionStore

__all__ = ["Logins", "ShownSession"]

AGENT_LENGTH_MAX: Final = 200
SWEEP_EVERY_S: Final = 15.0
SWEEP_ROWS_MAX: Final = 500
# Between the row and the cache's entry lies a moment in which a session has one of the two.
SWEEP_AGE_MS_MIN: Final = 60_000

logger = logging.getLogger(__name__)


class ShownSession(NamedTuple):
    """A session as its owner sees it. Times in milliseconds since 1970."""

    session_id: int
    ip: str
    agent: str
    begun_ms: int
    expires_ms: int
    is_current: bool


class Logins:
    """Opens, lists and ends sessions. Raises DatabaseUnavailableError, CacheUnavailableError."""

    def __init__(
        self,
        store: LoginSessionStore,
        sessions: Sessions,
        cache: "redis.asyncio.Redis",
        *,
        cache_deadline_ms: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._cache = cache
        self._cache_deadline_ms = cache_deadline_ms
        self._clock_ms = clock_ms

    async def open(self, user_id: int, act: Act, agent: str) -> str:
        """Begin a session and return its token. What cannot be written down does not happen."""
        token, token_hash = self._sessions.new_token(user_id)
        shown = "".join(letter if letter.isprintable() else " " for letter in agent[:AGENT_LENGTH_MAX])
        expires_ms = act.time_ms + self._sessions.lifetime_s * 1000
        await self._store.add(LoginSession(token_hash, user_id, act.ip, shown, act.time_ms, expires_ms), act)
        pushed_out = await self._sessions.open(user_id, token_hash)
        if pushed_out:
            await self._write_end(user_id, pushed_out, None)
        return token

    async def id_of(self, session: Session) -> int | None:
        """The number of a session, None when it has none: then no key can hang on it."""
        if session.is_outside:
            return None
        return await self._store.id_of(session.user_id, session.token_hash)

    async def of_user(self, session: Session) -> list[ShownSession]:
        """The owner's sessions that are alive, the newest first."""
        rows = await self._store.of_user(session.user_id, self._clock_ms(), SESSIONS_PER_USER_MAX)
        alive = await self._sessions.alive(session.user_id, [row["token_hash"] for row in rows])
        return [
            ShownSession(
                *(row["session_id"], row["ip"], row["agent"], row["begun_ms"], row["expires_ms"]),
                is_current=row["token_hash"] == session.token_hash,
            )
            for row in rows
            if row["token_hash"] in alive
        ]

    async def log_out(self, session: Session, caller: str) -> None:
        """End the caller's own session."""
        await self._end(
            session.user_id, [session.token_hash], Act("log-out", *self._who(session, caller), {})
        )

    async def end_one(self, session: Session, session_id: int, caller: str) -> bool:
        """End one of the owner's sessions; False when there is none of this number."""
        rows = await self._store.of_user(session.user_id, self._clock_ms(), SESSIONS_PER_USER_MAX)
        found = [row["token_hash"] for row in rows if row["session_id"] == session_id]
        if not found:
            return False
        act = Act("session-ended", *self._who(session, caller), {"session_id": session_id})
        await self._end(session.user_id, found, act)
        return True

    async def end_all(self, user_id: int, caller: str, *, but: str = "") -> int:
        """End the account's sessions but the one with this hash; how many there were."""
        now_ms = self._clock_ms()
        rows = await self._store.of_user(user_id, now_ms, SESSIONS_PER_USER_MAX)
        found = [row["token_hash"] for row in rows if row["token_hash"] != but]
        if found:
            act = Act("sessions-ended", user_id, caller, now_ms, {"sessions": len(found)})
            await self._end(user_id, found, act)
        return len(found)

    def _who(self, session: Session, caller: str) -> tuple[int, str, int]:
        return session.user_id, caller, self._clock_ms()

    async def _end(self, user_id: int, token_hashes: Sequence[str], act: Act) -> None:
        # The cache first: what fails behind it is found by the sweep.
        await self._sessions.end(user_id, token_hashes)
        await self._write_end(user_id, token_hashes, act)

    async def _write_end(self, user_id: int, token_hashes: Sequence[str], act: Act | None) -> None:
        for key_hash in await self._store.end(user_id, token_hashes, act, self._clock_ms()):
            await announce_revocation(self._cache, key_hash, self._cache_deadline_ms)

    async def run(self) -> None:
        """Look for sessions that ended without a word, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except (DatabaseUnavailableError, CacheUnavailableError) as error:
                logger.warning("sessions that ended are not looked for: %s", error)

    async def sweep(self) -> int:
        """Write the end of all that are over down; how many there were."""
        ended = last_id = 0
        while True:
            page = await self._store.open_after(last_id, self._clock_ms() - SWEEP_AGE_MS_MIN, SWEEP_ROWS_MAX)
            for row in page:
                if not await self._sessions.alive(row.user_id, [row.token_hash]):
                    await self._write_end(row.user_id, [row.token_hash], None)
                    ended += 1
            if len(page) < SWEEP_ROWS_MAX:
                return ended
            last_id = page[-1].session_id
