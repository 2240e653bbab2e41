"""Sessions and attempt counters in Redis: the same for every replica, at once.

A session is found by the SHA-256 of its token, so that reading the cache gives nobody a session. The token
begins with its user's id: all keys of a user have it as their hash tag, which keeps them on one node of a
cluster. Who the user is, is the stored value's to say.
Losing the cache ends sessions; being without it refuses everybody, as nothing can be checked.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import redis.asyncio

from exchange.process.cancellation import raise_if_cancelled
from exchange.process.connections import CACHE_ERRORS

__all__ = [
    "SESSIONS_PER_USER_MAX",
    "CacheUnavailableError",
    "OutsideLogin",
    "Session",
    "Sessions",
    "TooManyAttemptsError",
]

_TOKEN_SIZE_BYTES: Final = 32
_TOKEN: Final = re.compile(r"([0-9]{1,19})~[A-Za-z0-9_-]{43}", re.ASCII)
SESSIONS_PER_USER_MAX: Final = 50
# In place of a user's number, for an outside log-in that was ended here.
_ENDED: Final = b"ended"

# KEYS: session, the user's list of sessions. ARGV: user id, lifetime in seconds, list's size, prefix, hash.
# The oldest sessions of a user end when there are too many; their hashes are returned.
_OPEN: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('LREM', KEYS[2], 0, ARGV[5])
redis.call('LPUSH', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[2])
local pushed_out = {}
while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) do
  local oldest = redis.call('RPOP', KEYS[2])
  redis.call('DEL', ARGV[4] .. oldest)
  table.insert(pushed_out, oldest)
end
return pushed_out
"""
# KEYS: counter. ARGV: window in seconds. Returns the count and the seconds that are left.
_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}
"""


class CacheUnavailableError(Exception):
    """Redis did not answer within the deadline."""


class TooManyAttemptsError(Exception):
    """The limit is used up until `retry_after_s` seconds from now."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Session(NamedTuple):
    """Who is signed in, and the session's name in the cache: a hash of the token or of the outside log-in."""

    user_id: int
    token_hash: str
    is_outside: bool = False


class OutsideLogin(NamedTuple):
    """What the cache knows: whose log-in it is, and whether it was ended here."""

    user_id: int | None
    has_ended: bool


class Sessions:
    """Opens, finds and ends sessions; counts attempts. Everything raises CacheUnavailableError."""

    def __init__(
        self, cache: "redis.asyncio.Redis", *, lifetime_s: int, deadline_ms: int, rate_limits: bool = True
    ) -> None:
        """`rate_limits`: without them nobody's attempts are counted."""
        self._cache = cache
        self._rate_limits = rate_limits
        self.lifetime_s = lifetime_s
        self._deadline_s = deadline_ms / 1000
        self._open = cache.register_script(_OPEN)
        self._count = cache.register_script(_COUNT)

    def new_token(self, user_id: int) -> tuple[str, str]:
        """A token, which is kept nowhere, and its hash."""
        token = f"{user_id}~{secrets.token_urlsafe(_TOKEN_SIZE_BYTES)}"
        return token, _hash(token)

    async def open(self, user_id: int, token_hash: str) -> list[str]:
        """Start the session of a token; the hashes of those that ended because there were too many."""
        async with self._within_deadline():
            pushed_out = await self._open(
                keys=[_session_key(user_id, token_hash), f"user_sessions:{{{user_id}}}"],
                args=[
                    user_id,
                    self.lifetime_s,
                    SESSIONS_PER_USER_MAX,
                    _session_key(user_id, ""),
                    token_hash,
                ],
            )
        return [ended.decode() for ended in pushed_out]

    async def find(self, token: str) -> Session | None:
        """The session of `token`, None when it has ended or never was."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        token_hash = _hash(token)
        async with self._within_deadline():
            user_id = await self._cache.get(_session_key(match[1], token_hash))
        return None if user_id is None else Session(int(user_id), token_hash)

    async def alive(self, user_id: int, token_hashes: Sequence[str]) -> set[str]:
        """Those of a user's sessions that have not ended."""
        if not token_hashes:
            return set()
        keys = [_session_key(user_id, token_hash) for token_hash in token_hashes]
        async with self._within_deadline():
            values = await self._cache.mget(keys)
        return {one for one, value in zip(token_hashes, values, strict=True) if value is not None}

    async def end(self, user_id: int, token_hashes: Sequence[str]) -> None:
        """Refuse these tokens of a user from now on, everywhere."""
        async with self._within_deadline():
            await self._cache.delete(*(_session_key(user_id, token_hash) for token_hash in token_hashes))

    # -- log-ins at outside issuers: what the database knows of them, at hand

    async def find_outside(self, login_hash: str) -> OutsideLogin:
        """What is known of a log-in that began elsewhere."""
        async with self._within_deadline():
            return _outside(await self._cache.get(_outside_key(login_hash)))

    async def keep_outside(self, login_hash: str, user_id: int) -> OutsideLogin:
        """Remember whose it is, unless something is known already; return what is known then."""
        async with self._within_deadline():
            known = await self._cache.set(
                _outside_key(login_hash), user_id, ex=self.lifetime_s, nx=True, get=True
            )
        return OutsideLogin(user_id, has_ended=False) if known is None else _outside(known)

    async def end_outside(self, login_hash: str) -> None:
        """Refuse all tokens of the log-in from now on, everywhere."""
        async with self._within_deadline():
            await self._cache.set(_outside_key(login_hash), _ENDED, ex=self.lifetime_s)

    async def count_attempt(self, action: str, who: str, *, attempts_max: int, window_s: int) -> None:
        """Count an attempt of `who`. Raises TooManyAttemptsError when the window's limit is used up."""
        if not self._rate_limits:
            return
        async with self._within_deadline():
            count, left_s = await self._count(keys=[f"attempts:{action}:{_hash(who)}"], args=[window_s])
        if int(count) > attempts_max:
            raise TooManyAttemptsError(max(int(left_s), 1))

    async def ping(self) -> None:
        """Return when the cache answers."""
        async with self._within_deadline():
            await self._cache.ping()

    @asynccontextmanager
    async def _within_deadline(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    yield
                finally:
                    raise_if_cancelled()
        except CACHE_ERRORS as error:
            raise CacheUnavailableError(repr(error)) from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _outside_key(login_hash: str) -> str:
    return f"outside-logins:{login_hash}"


def _outside(value: object) -> OutsideLogin:
    if value is None or value == _ENDED:
        return OutsideLogin(None, has_ended=value is not None)
    assert isinstance(value, bytes), "the cache gives bytes"
    return OutsideLogin(int(value), has_ended=False)


def _session_key(user_id: int | str, token_hash: str) -> str:
    return f"sessions:{{{user_id}}}:{token_hash}"
