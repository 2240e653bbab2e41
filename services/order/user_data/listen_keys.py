"""Legacy listen keys (binance-spot-api 6.3): names under which a user's events are published on Redis.

`listen_key:{key}` -> user id and `listen_key_of:{user id}` -> key live for an hour after the last POST or
PUT. `listen_keys_in_use` exists while any key may be alive, so that nobody publishes for nothing. The keys
lie on several nodes of a cluster, so they are written one by one: what a crash leaves undone, the client's
next POST or PUT does.
"""

import secrets
import string
from collections.abc import Sequence
from typing import Final

import redis.asyncio
import redis.exceptions

from exchange.contracts.errors import ApiError, unavailable
from exchange.http.query_parameters import required
from services.order.decisions.call import Call

__all__ = ["ListenKeys", "channel_of"]

LIFETIME_S: Final = 3_600
KEY_LENGTH: Final = 64
_ALPHABET: Final = string.ascii_letters + string.digits
_IN_USE: Final = "listen_keys_in_use"
_CACHE_ERRORS: Final = (redis.exceptions.RedisError, OSError, TimeoutError)


def channel_of(listen_key: str) -> str:
    """The Redis channel that carries a key's events."""
    return f"user_data:{listen_key}"


class ListenKeys:
    """The handlers of /userDataStream and the look-up of active keys."""

    def __init__(self, cache: "redis.asyncio.Redis") -> None:
        self._cache = cache
        self.are_in_use = False

    async def create(self, call: Call) -> object:
        """POST: the user's key, a new one or the living one with its hour renewed."""
        user_id = call.caller.user_id
        fresh = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))
        name = f"listen_key_of:{user_id}"
        try:
            await self._cache.set(name, fresh, nx=True, ex=LIFETIME_S)
            key = _text(await self._cache.get(name)) or fresh
            pipeline = self._cache.pipeline(transaction=False)
            pipeline.set(name, key, ex=LIFETIME_S)
            pipeline.set(f"listen_key:{key}", user_id, ex=LIFETIME_S)
            pipeline.set(_IN_USE, 1, ex=LIFETIME_S)
            await pipeline.execute()
        except _CACHE_ERRORS:
            raise unavailable() from None
        self.are_in_use = True
        return {"listenKey": key}

    async def renew(self, call: Call) -> object:
        """PUT: another hour for a key of the caller's."""
        key = await self._own_key(call)
        try:
            pipeline = self._cache.pipeline(transaction=False)
            for name in (f"listen_key_of:{call.caller.user_id}", f"listen_key:{key}", _IN_USE):
                pipeline.expire(name, LIFETIME_S)
            await pipeline.execute()
        except _CACHE_ERRORS:
            raise unavailable() from None
        return {}

    async def close(self, call: Call) -> object:
        """DELETE: the end of a key of the caller's."""
        key = await self._own_key(call)
        try:
            await self._cache.delete(f"listen_key_of:{call.caller.user_id}", f"listen_key:{key}")
        except _CACHE_ERRORS:
            raise unavailable() from None
        return {}

    async def _own_key(self, call: Call) -> str:
        key = required(call.parameters, "listenKey")
        try:
            owner = _text(await self._cache.get(f"listen_key:{key[:KEY_LENGTH]}"))
        except _CACHE_ERRORS:
            raise unavailable() from None
        if len(key) != KEY_LENGTH or owner != str(call.caller.user_id):
            raise ApiError(-1125, "This listenKey does not exist.")
        return key

    async def refresh(self) -> None:
        """Learn whether any key is alive. Raises redis-py's errors."""
        self.are_in_use = bool(await self._cache.exists(_IN_USE))

    async def keys_of(self, user_ids: Sequence[int]) -> dict[int, str]:
        """The living keys of some users. Raises redis-py's errors."""
        pipeline = self._cache.pipeline(transaction=False)
        for user_id in user_ids:
            pipeline.get(f"listen_key_of:{user_id}")
        values = await pipeline.execute()
        found = {user_id: _text(value) for user_id, value in zip(user_ids, values, strict=True)}
        return {user_id: key for user_id, key in found.items() if key}


def _text(value: object) -> str:
    """Redis answers bytes or text, as the client was made; nothing is an empty text."""
    if value is None:
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)
