"""Secrets at rest: AES-256-GCM under data keys, which rest in the database wrapped by a `KeyWrapper`.

A sealed secret is: format (1 byte, now 1), version of the data key (4 bytes, big-endian), nonce
(12 bytes), ciphertext with tag. It is bound to its place by associated data, so that it opens nowhere
else. After a rotation new secrets use the new version, and old ones still open with theirs.
"""

import secrets
from typing import Any, Final, Self

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.ports.world import KeyWrapError, KeyWrapper
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS

__all__ = ["KeyRing", "KeyRingError", "api_secret_place"]

DATA_KEY_SIZE_BYTES: Final = 32
_FORMAT: Final = b"\x01"
_VERSION_SIZE_BYTES: Final = 4
_HEADER_SIZE_BYTES: Final = len(_FORMAT) + _VERSION_SIZE_BYTES
_NONCE_SIZE_BYTES: Final = 12
_ROTATE_TRIES_MAX: Final = 10
_DATABASE_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.UndefinedTableError)


class KeyRingError(Exception):
    """A data key cannot be had, or a secret is damaged, or it stands where it was not put."""


def api_secret_place(user_id: int, key_hash: bytes) -> bytes:
    """Where the secret of an API key belongs: that user's key of that hash (32 bytes)."""
    return b"api key secret" + user_id.to_bytes(8) + key_hash


class KeyRing:
    """Seals and opens. Data keys, once unwrapped, are kept for the life of the process."""

    def __init__(
        self, database: "asyncpg.Pool[asyncpg.Record]", wrapper: KeyWrapper, deadline_ms: int
    ) -> None:
        self._database = database
        self._wrapper = wrapper
        self._deadline_s = deadline_ms / 1000
        self._ciphers: dict[int, AESGCM] = {}

    @classmethod
    def from_resources(
        cls, resources: Resources, database: "asyncpg.Pool[asyncpg.Record] | None" = None
    ) -> Self:
        """Make it from a process's resources. Raises KeyRingError when they have no key wrapper.

        `database`: other connections than those that the process has for everything.
        """
        if resources.key_wrapper is None:
            raise KeyRingError("this process was given no key wrapper")
        deadline_ms = resources.settings.database_deadline_ms
        return cls(database or resources.database, resources.key_wrapper, deadline_ms)

    async def seal(self, secret: bytes, place: bytes) -> bytes:
        """Encrypt with the newest data key; the first one is made when there is none. Raises KeyRingError."""
        version = await self._newest_version() or await self._add_first()
        header = _FORMAT + version.to_bytes(_VERSION_SIZE_BYTES)
        nonce = secrets.token_bytes(_NONCE_SIZE_BYTES)
        return header + nonce + (await self._cipher(version)).encrypt(nonce, secret, header + place)

    async def open(self, sealed: bytes, place: bytes) -> bytes:
        """Undo `seal`. Raises KeyRingError when the bytes, the data key or the place are others."""
        header = sealed[:_HEADER_SIZE_BYTES]
        if len(header) != _HEADER_SIZE_BYTES or not header.startswith(_FORMAT):
            raise KeyRingError("a sealed secret has a format that is not known")
        cipher = await self._cipher(int.from_bytes(header[len(_FORMAT) :]))
        nonce = sealed[_HEADER_SIZE_BYTES : _HEADER_SIZE_BYTES + _NONCE_SIZE_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_SIZE_BYTES + _NONCE_SIZE_BYTES :], header + place)
        except (InvalidTag, ValueError):
            raise KeyRingError("a sealed secret is damaged, or stands where it was not put") from None

    async def rotate(self) -> int:
        """Make a new data key for what is sealed from now on; return its version. Raises KeyRingError."""
        for _ in range(_ROTATE_TRIES_MAX):
            version = (await self._newest_version() or 0) + 1
            if await self._add(version):
                return version
        raise KeyRingError("others rotate all the time")

    async def _add_first(self) -> int:
        # Whoever was quicker has made it for both.
        await self._add(1)
        return 1

    async def _add(self, version: int) -> bool:
        """Make a data key; False when there is one of this version."""
        data_key = secrets.token_bytes(DATA_KEY_SIZE_BYTES)
        wrapped = await self._wrap(data_key, version)
        added = await self._fetchval(
            "INSERT INTO data_keys (version, wrapped, created_ms) "
            "VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) "
            "ON CONFLICT (version) DO NOTHING RETURNING true",
            version,
            wrapped,
        )
        return bool(added)

    async def _wrap(self, data_key: bytes, version: int) -> bytes:
        try:
            return await self._wrapper.wrap(data_key, _context(version))
        except KeyWrapError as error:
            raise KeyRingError(str(error)) from error

    async def _newest_version(self) -> int | None:
        newest = await self._fetchval("SELECT max(version) FROM data_keys")
        return None if newest is None else int(newest)

    async def _cipher(self, version: int) -> AESGCM:
        cipher = self._ciphers.get(version)
        if cipher is None:
            wrapped = await self._fetchval("SELECT wrapped FROM data_keys WHERE version = $1", version)
            if wrapped is None:
                raise KeyRingError(f"there is no data key of version {version}")
            try:
                data_key = await self._wrapper.unwrap(wrapped, _context(version))
            except KeyWrapError as error:
                raise KeyRingError(str(error)) from error
            if len(data_key) != DATA_KEY_SIZE_BYTES:
                raise KeyRingError(f"the data key of version {version} has not {DATA_KEY_SIZE_BYTES} bytes")
            cipher = self._ciphers[version] = AESGCM(data_key)
        return cipher

    async def _fetchval(self, query: str, *arguments: object) -> Any:
        try:
            # Giving a connection back waits for the server too, for as long as getting it might have.
            async with self._database.acquire(timeout=self._deadline_s) as connection:
                return await connection.fetchval(query, *arguments, timeout=self._deadline_s)
        except _DATABASE_AWAY as error:
            raise KeyRingError(f"data keys cannot be read: {error!r}") from error


def _context(version: int) -> dict[str, str]:
    return {"purpose": "exchange data key", "version": str(version)}
