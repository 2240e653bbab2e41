"""API keys as the services see them.

A key is found by its SHA-256, never by its text. What was found is remembered for a few seconds, and read
again before they are over. A revocation is told to every process over the cache's channel `api_keys:revoked`.
While that channel is heard, a key whose seconds are over stays good for a while when the database does not
answer: its owner must be able to cancel, and a revocation would be heard. While the channel is silent, the
few seconds are the bound.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, Self

import asyncpg
import redis.asyncio
from prometheus_client import Counter

from exchange.process.cancellation import raise_if_cancelled
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS
from exchange.security.key_ring import KeyRing, KeyRingError, api_secret_place
from exchange.security.recent_keys import ApiKey, RecentKeys
from exchange.wall_clock import clock_ms

__all__ = [
    "API_KEY_LENGTH",
    "ED25519",
    "HMAC",
    "REVOKED_CHANNEL",
    "RSA",
    "ApiKey",
    "Credentials",
    "CredentialsError",
    "CredentialsUnavailableError",
    "PostgresCredentials",
    "SecretUnreadableError",
    "announce_revocation",
    "hash_api_key",
]

HMAC: Final = "HMAC"
ED25519: Final = "ED25519"
RSA: Final = "RSA"
REVOKED_CHANNEL: Final = "api_keys:revoked"
API_KEY_LENGTH: Final = 64

# Without its table the database has not been migrated yet: that too is a matter of time.
_DATABASE_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)
# So long a key is used without asking; from REFRESH_S on it is asked for again meanwhile.
FRESH_S: Final = 5.0
REFRESH_S: Final = 4.0
# So long a key is used while revocations are heard and the database does not answer: longer than a failover
# takes.
STALE_S_MAX: Final = 90.0
# How long a request with an older key waits for the database before it goes on with that key.
_STALE_WAIT_S: Final = 0.25
# After a failure, how long nobody waits for a key that is known.
_AWAY_S: Final = 1.0
# Look-ups under way, each of its own key: more would wait for nothing but the deadline. The last places are
# for keys that are known, so that a flood of invented ones keeps nobody's key from being read again.
_LOOK_UPS_MAX: Final = 1_000
_LOOK_UPS_OF_UNKNOWN_MAX: Final = 800
_KEY: Final = """
SELECT api_key, user_id, kind, secret_encrypted, public_key_pem, permissions, ip_allow_list, last_used_ms
FROM api_keys WHERE key_hash = $1 AND revoked_ms IS NULL AND (session_id IS NULL OR EXISTS (
    SELECT 1 FROM login_sessions AS s WHERE s.session_id = api_keys.session_id AND s.ended_ms IS NULL
    AND s.expires_ms > extract(epoch FROM now()) * 1000))
"""
# A key is noted as used once a minute, not once a request.
_NOTE_EVERY_MS: Final = 60_000
_NOTE: Final = """
UPDATE api_keys SET last_used_ms = $2 WHERE key_hash = $1 AND coalesce(last_used_ms, 0) < $3
"""
_FOUND_MAX: Final = 50_000
_UNKNOWN_MAX: Final = 10_000
_SILENCE_S_MAX: Final = 5.0
_RECONNECT_S_MAX: Final = 2.0

logger = logging.getLogger(__name__)
_stale_total = Counter(
    "exchange_keys_stale_total", "Requests that went on with a known key, because the database did not answer"
)


class CredentialsError(Exception):
    """Keys cannot be looked up. Its kinds: CredentialsUnavailableError, SecretUnreadableError."""


class CredentialsUnavailableError(CredentialsError):
    """The database did not answer within the deadline: nothing is known about the key."""


class SecretUnreadableError(CredentialsError):
    """The key is there, and its secret cannot be opened: see KeyRingError."""


class Credentials(Protocol):
    """Where a service that checks signatures gets its keys."""

    async def find(self, api_key: str) -> ApiKey | None:
        """Return the key, None when it is unknown or revoked. Raises CredentialsError."""
        ...


def hash_api_key(api_key: str) -> bytes:
    """The name under which a key is stored: SHA-256 of its ASCII text, 32 bytes."""
    return hashlib.sha256(api_key.encode("ascii")).digest()


async def announce_revocation(cache: "redis.asyncio.Redis", key_hash: bytes, deadline_ms: int) -> None:
    """Tell every process to forget a key. Without the cache they forget it by time, after five seconds."""
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await cache.publish(REVOKED_CHANNEL, key_hash.hex())
    except CACHE_ERRORS as error:
        logger.warning("a revocation could not be told (%r): keys expire by time", error)


class PostgresCredentials:
    """Keys from the table `api_keys`. A component: `run` listens for revocations.

    `find` works without `run` too, then a revoked key is refused after at most five seconds. `clock_s` only
    goes forward.
    """

    name = "credentials"

    def __init__(
        self,
        database: "asyncpg.Pool[asyncpg.Record]",
        key_ring: KeyRing,
        cache: "redis.asyncio.Redis",
        *,
        database_deadline_ms: int,
        cache_deadline_ms: int,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock_s = clock_s
        self._key_ring = key_ring
        self._cache = cache
        self._database_deadline_s = database_deadline_ms / 1000
        self._cache_deadline_s = cache_deadline_ms / 1000
        self._found = RecentKeys(_FOUND_MAX, STALE_S_MAX)
        # Kept apart, so that a flood of invented keys cannot push out the real ones.
        self._unknown = RecentKeys(_UNKNOWN_MAX, FRESH_S)
        self._look_ups: dict[bytes, asyncio.Task[ApiKey | None]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._away_until_s = -1.0
        self._revocations = 0
        self._following = False
        self._heard_s = 0.0
        # A silent channel is asked after _SILENCE_S_MAX, and has a deadline for its answer.
        self._silence_s_max = _SILENCE_S_MAX + 2 * self._cache_deadline_s

    @classmethod
    def from_resources(cls, resources: Resources) -> Self:
        """Make it from a process's resources, over connections of its own if they have some.

        Raises KeyRingError.
        """
        settings, database = resources.settings, resources.database_keys or resources.database
        return cls(
            database,
            KeyRing.from_resources(resources, database),
            resources.cache,
            database_deadline_ms=settings.database_deadline_ms,
            cache_deadline_ms=settings.cache_deadline_ms,
        )

    async def find(self, api_key: str) -> ApiKey | None:
        """Return the key, None when it is unknown or revoked. Raises CredentialsError."""
        if len(api_key) != API_KEY_LENGTH or not (api_key.isascii() and api_key.isalnum()):
            return None
        key_hash = hash_api_key(api_key)
        now_s = self._clock_s()
        known = self._found.get(key_hash, now_s)
        if known is None:
            if self._unknown.get(key_hash, now_s) is not None:
                return None
            return await self._find_now(api_key, key_hash)
        age_s = now_s - known.read_s
        if age_s < FRESH_S:
            if age_s >= REFRESH_S and now_s >= self._away_until_s:
                with contextlib.suppress(CredentialsUnavailableError):
                    self._look_up(api_key, key_hash)
            return known.key
        if self._hears_revocations(now_s):
            return await self._find_again(api_key, key_hash)
        return await self._find_now(api_key, key_hash)

    async def _find_now(self, api_key: str, key_hash: bytes) -> ApiKey | None:
        """What the database says, within its deadline. The look-up goes on if this waiter leaves."""
        try:
            async with asyncio.timeout(self._database_deadline_s):
                return await asyncio.shield(self._look_up(api_key, key_hash))
        except TimeoutError as error:
            raise CredentialsUnavailableError("keys cannot be read: no answer in time") from error

    async def _find_again(self, api_key: str, key_hash: bytes) -> ApiKey | None:
        """Ask the database, and go on with what is known when it does not answer soon."""
        if self._clock_s() >= self._away_until_s:
            try:
                async with asyncio.timeout(_STALE_WAIT_S):
                    return await asyncio.shield(self._look_up(api_key, key_hash))
            except (TimeoutError, CredentialsUnavailableError):
                self._away_until_s = self._clock_s() + _AWAY_S
        known = self._found.get(key_hash, self._clock_s())
        if known is None:
            raise CredentialsUnavailableError("the key was revoked, or its time ended, while we waited")
        _stale_total.inc()
        return known.key

    def _hears_revocations(self, now_s: float) -> bool:
        """Whether a revocation that was told would have been heard."""
        return self._following and now_s - self._heard_s <= self._silence_s_max

    def _look_up(self, api_key: str, key_hash: bytes) -> "asyncio.Task[ApiKey | None]":
        """The one look-up of this key, begun now or under way. Who waits for it shields it: others wait too.

        Raises CredentialsUnavailableError when too many are under way.
        """
        task = self._look_ups.get(key_hash)
        if task is None:
            is_known = self._found.get(key_hash, self._clock_s()) is not None
            if len(self._look_ups) >= (_LOOK_UPS_MAX if is_known else _LOOK_UPS_OF_UNKNOWN_MAX):
                raise CredentialsUnavailableError(f"{len(self._look_ups)} keys are being looked up")
            task = asyncio.create_task(self._read_and_keep(api_key, key_hash), name="key look-up")
            self._look_ups[key_hash] = task
            task.add_done_callback(lambda done: self._looked_up(key_hash, done))
        return task

    def _looked_up(self, key_hash: bytes, task: "asyncio.Task[ApiKey | None]") -> None:
        if self._look_ups.get(key_hash) is task:
            del self._look_ups[key_hash]
        if not task.cancelled():
            # Nobody may have waited for one that was begun ahead; what it failed with was logged or comes
            # again.
            task.exception()

    async def _read_and_keep(self, api_key: str, key_hash: bytes) -> ApiKey | None:
        revocations, began_s = self._revocations, self._clock_s()
        try:
            key = await self._read(api_key, key_hash)
        except CredentialsUnavailableError:
            self._away_until_s = self._clock_s() + _AWAY_S
            raise
        if key is None:
            self._found.forget(key_hash)
        # A revocation may have passed while the row was on its way: then it is used once, not kept.
        if revocations == self._revocations:
            (self._unknown if key is None else self._found).put(key_hash, key, began_s)
        return key

    async def _read(self, api_key: str, key_hash: bytes) -> ApiKey | None:
        try:
            # Giving a connection back waits for the server too, for as long as getting it might have.
            async with self._database.acquire(timeout=self._database_deadline_s) as connection:
                row = await connection.fetchrow(_KEY, key_hash, timeout=self._database_deadline_s)
        except _DATABASE_AWAY as error:
            raise CredentialsUnavailableError(f"keys cannot be read: {error!r}") from error
        if row is None or not hmac.compare_digest(row["api_key"], api_key):
            return None
        self._note_use(row, key_hash)
        secret = await self._secret(row, key_hash)
        return ApiKey(
            api_key=api_key,
            user_id=row["user_id"],
            kind=row["kind"],
            secret=secret,
            public_key_pem=row["public_key_pem"],
            permissions=frozenset(row["permissions"]),
            ip_allow_list=tuple(row["ip_allow_list"]),
        )

    def _note_use(self, row: asyncpg.Record, key_hash: bytes) -> None:
        """For its owner, who may find a key that nobody should be using. Nobody waits for it."""
        now_ms = clock_ms()
        if now_ms - (row["last_used_ms"] or 0) > _NOTE_EVERY_MS and len(self._notes) < _LOOK_UPS_MAX:
            task = asyncio.create_task(self._write_use(key_hash, now_ms), name="key use")
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)

    async def _write_use(self, key_hash: bytes, now_ms: int) -> None:
        try:
            async with self._database.acquire(timeout=self._database_deadline_s) as connection:
                await connection.execute(
                    _NOTE, key_hash, now_ms, now_ms - _NOTE_EVERY_MS, timeout=self._database_deadline_s
                )
        except _DATABASE_AWAY as error:
            logger.warning("the use of a key is not noted: %r", error)

    async def _secret(self, row: asyncpg.Record, key_hash: bytes) -> bytes | None:
        sealed = row["secret_encrypted"]
        if sealed is None:
            return None
        try:
            return await self._key_ring.open(sealed, api_secret_place(row["user_id"], key_hash))
        except KeyRingError as error:
            logger.error("the secret of key %s cannot be opened: %s", key_hash.hex(), error)
            raise SecretUnreadableError(str(error)) from error

    def forget(self, key_hash: bytes) -> None:
        """Ask the database again about this key the next time."""
        self._revocations += 1
        self._found.forget(key_hash)
        # A look-up under way may have read the key before it was revoked: whoever comes now begins another.
        self._look_ups.pop(key_hash, None)

    async def start(self) -> None:
        """Nothing to recover: the first look-up reads the database."""

    async def run(self) -> None:
        """Follow the revocations until cancelled. An absent cache is waited for, not an error."""
        pause_s = 0.1
        while True:
            try:
                await self._follow_revocations()
            except CACHE_ERRORS as error:
                if self._following:
                    logger.warning("revocations are not heard (%r): keys expire by time", error)
                    pause_s = 0.1
                self._following = False
            raise_if_cancelled()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RECONNECT_S_MAX)

    async def _follow_revocations(self) -> None:
        subscription = self._cache.pubsub()
        try:
            async with asyncio.timeout(self._cache_deadline_s):
                await subscription.subscribe(REVOKED_CHANNEL)
            while True:
                raise_if_cancelled()
                self._heed(await self._next_message(subscription))
        finally:
            async with asyncio.timeout(self._cache_deadline_s):
                await subscription.aclose()

    async def _next_message(self, subscription: Any) -> Mapping[str, Any]:
        message = await subscription.get_message(timeout=_SILENCE_S_MAX)
        if message is None:
            # A connection that died without a word looks like silence: make it answer.
            async with asyncio.timeout(self._cache_deadline_s):
                await subscription.ping()
                while message is None:
                    message = await subscription.get_message(timeout=self._cache_deadline_s)
        self._heard_s = self._clock_s()
        found: Mapping[str, Any] = message
        return found

    def _heed(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Also after the client has reconnected by itself: what was said meanwhile is lost.
            self._following = True
            self._revocations += 1
            self._found.clear()
            self._look_ups.clear()
        elif message["type"] == "message":
            data = message["data"]
            try:
                self.forget(bytes.fromhex(data if isinstance(data, str) else data.decode("ascii")))
            except ValueError:
                logger.warning("not a key's hash on %s", REVOKED_CHANNEL)

    async def stop(self) -> None:
        """Forget every secret."""
        for task in (*self._look_ups.values(), *self._notes):
            task.cancel()
        self._found.clear()
        self._unknown.clear()

    def readiness(self) -> Mapping[str, str | None]:
        """Always ready: without the cache keys are still found, and revocations take effect by time."""
        return {}
