"""API keys as the services see them.

A key is found by its SHA-256, never by its text. Found keys are kept in the process for a few
seconds; a revocation is told to every process over the cache's channel `api_keys:revoked`, and when
the cache is away that time to live is the bound.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, Protocol, Self

import asyncpg
import redis.asyncio

from exchange.process.cancellation import raise_if_cancelled
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS
from exchange.security.key_ring import KeyRing, KeyRingError, api_secret_place

__all__ = [
    "API_KEY_LENGTH",
    "ED25519",
    "HMAC",
    "REVOKED_CHANNEL",
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
REVOKED_CHANNEL: Final = "api_keys:revoked"
API_KEY_LENGTH: Final = 64

# Without its table the database has not been migrated yet: that too is a matter of time.
_DATABASE_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)
_LIFETIME_S: Final = 5.0
_FOUND_MAX: Final = 50_000
_UNKNOWN_MAX: Final = 10_000
_SILENCE_S_MAX: Final = 5.0
_RECONNECT_S_MAX: Final = 2.0

logger = logging.getLogger(__name__)


class CredentialsError(Exception):
    """Keys cannot be looked up. Its kinds: CredentialsUnavailableError, SecretUnreadableError."""


class CredentialsUnavailableError(CredentialsError):
    """The database did not answer within the deadline: nothing is known about the key."""


class SecretUnreadableError(CredentialsError):
    """The key is there, and its secret cannot be opened: see KeyRingError."""


@dataclass(frozen=True)
class ApiKey:
    """One valid API key.

    `kind` is HMAC (then `secret` holds what signs) or ED25519 (then `public_key_pem`).
    `permissions` are of READ, TRADE, WITHDRAW. `ip_allow_list` holds addresses and networks in CIDR
    form; empty means everywhere.
    """

    api_key: str
    user_id: int
    kind: str
    secret: bytes | None = field(repr=False)
    public_key_pem: str | None
    permissions: frozenset[str]
    ip_allow_list: tuple[str, ...]

    def allows_ip(self, address: str) -> bool:
        """Whether a request from `address` may use this key. Text that is no address never may."""
        if not self.ip_allow_list:
            return True
        try:
            caller = ip_address(address)
        except ValueError:
            return False
        # A socket open to both families shows IPv4 callers as ::ffff:a.b.c.d.
        if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
            caller = caller.ipv4_mapped
        return any(caller in ip_network(allowed) for allowed in self.ip_allow_list)


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


class _RecentKeys:
    """A bounded map that forgets the least recently used entry, and every entry after `_LIFETIME_S`."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[bytes, tuple[float, ApiKey | None]] = OrderedDict()

    def get(self, key_hash: bytes, now_s: float) -> tuple[float, ApiKey | None] | None:
        entry = self._entries.get(key_hash)
        if entry is None:
            return None
        if entry[0] <= now_s:
            del self._entries[key_hash]
            return None
        self._entries.move_to_end(key_hash)
        return entry

    def put(self, key_hash: bytes, key: ApiKey | None, now_s: float) -> None:
        self._entries[key_hash] = (now_s + _LIFETIME_S, key)
        self._entries.move_to_end(key_hash)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def forget(self, key_hash: bytes) -> None:
        self._entries.pop(key_hash, None)

    def clear(self) -> None:
        self._entries.clear()


class PostgresCredentials:
    """Keys from the table `api_keys`. A component: `run` listens for revocations.

    `find` works without `run` too, then a revoked key is refused after at most five seconds.
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
    ) -> None:
        self._database = database
        self._key_ring = key_ring
        self._cache = cache
        self._database_deadline_s = database_deadline_ms / 1000
        self._cache_deadline_s = cache_deadline_ms / 1000
        self._found = _RecentKeys(_FOUND_MAX)
        # Kept apart, so that a flood of invented keys cannot push out the real ones.
        self._unknown = _RecentKeys(_UNKNOWN_MAX)
        self._revocations = 0
        self._following = False

    @classmethod
    def from_resources(cls, resources: Resources) -> Self:
        """Make it from a process's resources. Raises KeyRingError."""
        settings = resources.settings
        return cls(
            resources.database,
            KeyRing.from_resources(resources),
            resources.cache,
            database_deadline_ms=settings.database_deadline_ms,
            cache_deadline_ms=settings.cache_deadline_ms,
        )

    async def find(self, api_key: str) -> ApiKey | None:
        """Return the key, None when it is unknown or revoked. Raises CredentialsError."""
        if len(api_key) != API_KEY_LENGTH or not (api_key.isascii() and api_key.isalnum()):
            return None
        key_hash = hash_api_key(api_key)
        now_s = time.monotonic()
        entry = self._found.get(key_hash, now_s) or self._unknown.get(key_hash, now_s)
        if entry is not None:
            return entry[1]
        revocations = self._revocations
        key = await self._read(api_key, key_hash)
        # A revocation may have passed while the row was on its way: then it is used once, not kept.
        if revocations == self._revocations:
            (self._unknown if key is None else self._found).put(key_hash, key, time.monotonic())
        return key

    async def _read(self, api_key: str, key_hash: bytes) -> ApiKey | None:
        try:
            async with asyncio.timeout(self._database_deadline_s):
                row = await self._database.fetchrow(
                    "SELECT api_key, user_id, kind, secret_encrypted, public_key_pem, permissions, "
                    "ip_allow_list FROM api_keys WHERE key_hash = $1 AND revoked_ms IS NULL",
                    key_hash,
                )
        except _DATABASE_AWAY as error:
            raise CredentialsUnavailableError(f"keys cannot be read: {error!r}") from error
        if row is None or not hmac.compare_digest(row["api_key"], api_key):
            return None
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
                await subscription.aclose()  # type: ignore[no-untyped-call]

    async def _next_message(self, subscription: Any) -> Mapping[str, Any]:
        message = await subscription.get_message(timeout=_SILENCE_S_MAX)
        if message is None:
            # A connection that died without a word looks like silence: make it answer.
            async with asyncio.timeout(self._cache_deadline_s):
                await subscription.ping()
                while message is None:
                    message = await subscription.get_message(timeout=self._cache_deadline_s)
        found: Mapping[str, Any] = message
        return found

    def _heed(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Also after the client has reconnected by itself: what was said meanwhile is lost.
            self._following = True
            self._revocations += 1
            self._found.clear()
        elif message["type"] == "message":
            data = message["data"]
            try:
                self.forget(bytes.fromhex(data if isinstance(data, str) else data.decode("ascii")))
            except ValueError:
                logger.warning("not a key's hash on %s", REVOKED_CHANNEL)

    async def stop(self) -> None:
        """Forget every secret."""
        self._found.clear()
        self._unknown.clear()

    def readiness(self) -> Mapping[str, str | None]:
        """Always ready: without the cache keys are still found, and revocations take effect by time."""
        return {}
