"""The key-encryption key in a file: for one machine, and for clusters that mount a secret.

Format of what is wrapped: nonce, then AES-256-GCM ciphertext with the context as associated data.
"""

import asyncio
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.ports.world import KeyWrapError

__all__ = ["FileKeyWrapper", "load_or_create_key"]

KEY_SIZE_BYTES: Final = 32
_NONCE_SIZE_BYTES: Final = 12


class FileKeyWrapper:
    """Wraps with the key in `path`, which is made on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: AESGCM | None = None

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the wrapped form. Raises KeyWrapError."""
        cipher = await self._opened()
        nonce = secrets.token_bytes(_NONCE_SIZE_BYTES)
        return nonce + cipher.encrypt(nonce, data_key, _associated(context))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises KeyWrapError."""
        cipher = await self._opened()
        nonce, sealed = wrapped[:_NONCE_SIZE_BYTES], wrapped[_NONCE_SIZE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, _associated(context))
        except (InvalidTag, ValueError):
            raise KeyWrapError(f"a data key was not wrapped with the key in {self._path}") from None

    async def _opened(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(await asyncio.to_thread(load_or_create_key, self._path))
        return self._cipher


def _associated(context: Mapping[str, str]) -> bytes:
    return orjson.dumps(dict(context), option=orjson.OPT_SORT_KEYS)


def load_or_create_key(path: Path) -> bytes:
    """Return the 32 bytes of the key; a missing file is made, readable by its owner only.

    The file holds them as 64 hex digits, or raw. Any number of processes may call this at once: the
    key appears under its name complete or not at all, and the first one wins. Raises KeyWrapError.
    """
    try:
        try:
            return _key_in(path)
        except FileNotFoundError:
            _create_key(path)
            return _key_in(path)
    except OSError as error:
        raise KeyWrapError(f"the key {path} cannot be read or made: {error}") from error


def _key_in(path: Path) -> bytes:
    content = path.read_bytes()
    if len(content) == KEY_SIZE_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE_BYTES:
        raise KeyWrapError(f"{path} holds no key: 64 hex digits or 32 bytes are expected")
    return key


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_SIZE_BYTES).hex().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces the key that another process has just made.
        os.link(draft, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
