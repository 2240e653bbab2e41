"""Believing a token: read it, find its issuer's key, check it. The same in every place that is shown one."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from exchange.process.config import SettingsError
from exchange.security.identity.tokens import Claims, TokenRefusedError, check, read

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

__all__ = ["KeySource", "KeysUnavailableError", "TokenVerifier"]


class KeysUnavailableError(Exception):
    """An issuer's keys cannot be had, so a token of it can be neither believed nor refused."""


class KeySource(Protocol):
    """The keys of one issuer."""

    async def key(self, key_id: str) -> "RSAKey | None":
        """The key of this name; None when the issuer has none. Raises KeysUnavailableError."""
        ...


class TokenVerifier:
    """Believes these issuers about these audiences, and nobody else.

    `audience`: clients of the issuers, with commas between them. SettingsError when it names none: then a
    token for anybody would be as good as one for us.
    """

    def __init__(self, keys: Mapping[str, KeySource], audience: str, clock_ms: Callable[[], int]) -> None:
        self._keys = dict(keys)
        self._audiences = frozenset(filter(None, (part.strip() for part in audience.split(","))))
        self._clock_ms = clock_ms
        if not self._audiences:
            raise SettingsError(
                "issuers need an audience: EXCHANGE_IDENTITY_AUDIENCE, JWT_AUDIENCE of the function"
            )

    async def verified(self, token: str) -> Claims:
        """What the token proves. Raises TokenRefusedError, KeysUnavailableError."""
        seen = read(token)
        keys = self._keys.get(seen.claims.iss)
        if keys is None:
            raise TokenRefusedError("its issuer is not believed here")
        key = await keys.key(seen.key_id)
        if key is None:
            raise TokenRefusedError("its issuer has no key of the name it gives")
        return check(seen, key, self._audiences, self._clock_ms() // 1000)
