"""The public keys of the issuers that are believed (JWKS, RFC 7517), read over HTTPS and kept for a while.

Each issuer is asked every few minutes, and when a token names a key that is not known: then at most once in
`PAUSE_S`, whatever clients send. While the issuer is away its last keys serve on, for `STALE_S` at most.
A process reads them beside its work (`IssuerKeys`); a function, which does nothing between its calls, when it
is asked (`IssuerKeysOnDemand`).
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import base64_to_int
from prometheus_client import Gauge

from exchange.security.identity.verifier import KeysUnavailableError

__all__ = ["IssuerKeys", "IssuerKeysOnDemand"]

FRESH_S: Final = 300.0
STALE_S: Final = 3_600.0
PAUSE_S: Final = 5.0
DEADLINE_S: Final = 3.0
BODY_SIZE_BYTES_MAX: Final = 65_536
KEYS_MAX: Final = 20
# Shorter ones can be broken; longer ones cost more to check than a token is worth.
MODULUS_BITS: Final = range(2_048, 4_097)

logger = logging.getLogger(__name__)
_age: Final = Gauge(
    "exchange_identity_issuer_keys_age_seconds", "Since an issuer's keys were last read", ["issuer"]
)


class _Key(msgspec.Struct):
    kty: str
    kid: str = ""
    n: str = ""
    e: str = ""
    use: str = "sig"
    alg: str = "RS256"


class _KeySet(msgspec.Struct):
    keys: Annotated[list[_Key], msgspec.Meta(max_length=KEYS_MAX)]


class _KeptKeys:
    """The keys of one issuer as they were last read."""

    def __init__(self, issuer: str, url: str, clock_s: Callable[[], float]) -> None:
        self._issuer = issuer
        self._url = url
        self._clock_s = clock_s
        self._keys: Mapping[str, RSAKey] = {}
        self._read_s = -math.inf
        self._failure: str | None = "they were not read yet"
        _age.labels(issuer).set_function(self._age_s)

    def _age_s(self) -> float:
        return self._clock_s() - self._read_s

    def _known(self, key_id: str) -> RSAKey | None:
        return None if self._age_s() > STALE_S else self._keys.get(key_id)

    def _found(self, key_id: str) -> RSAKey | None:
        """Of the last reading. Raises KeysUnavailableError when it failed and the key is not known before."""
        found = self._known(key_id)
        if found is None and self._failure is not None:
            raise KeysUnavailableError(f"the keys of {self._issuer} cannot be read: {self._failure}")
        return found

    async def _refresh(self, client: httpx.AsyncClient) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                self._keys = _usable(await self._fetch(client))
            self._read_s = self._clock_s()
            self._failure = None
        except (httpx.HTTPError, TimeoutError, OSError, ValueError, RecursionError) as error:
            self._failure = str(error) or type(error).__name__
            logger.warning("the keys of %s cannot be read: %s", self._issuer, self._failure)

    async def _fetch(self, client: httpx.AsyncClient) -> bytes:
        """Raises ValueError, and what httpx raises."""
        # Uncompressed, so that the limit holds for what is kept as well as for what is sent.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        body = bytearray()
        async with client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"status {answer.status_code}")
            async for part in answer.aiter_raw():
                body += part
                if len(body) > BODY_SIZE_BYTES_MAX:
                    raise ValueError(f"more than {BODY_SIZE_BYTES_MAX} bytes")
        return bytes(body)


class IssuerKeys(_KeptKeys):
    """The keys of one issuer. They are read by `run`, which asks for them at once."""

    def __init__(self, issuer: str, url: str) -> None:
        super().__init__(issuer, url, time.monotonic)
        self._is_pausing = False
        self._wanted = asyncio.Event()
        self._read = asyncio.Event()

    async def run(self) -> None:
        """Read the keys again and again. Ends by cancellation only."""
        async with _client() as client:
            while True:
                self._wanted.clear()
                await self._refresh(client)
                read, self._read = self._read, asyncio.Event()
                read.set()
                self._is_pausing = True
                await asyncio.sleep(PAUSE_S)
                self._is_pausing = False
                try:
                    async with asyncio.timeout(FRESH_S - PAUSE_S):
                        await self._wanted.wait()
                except TimeoutError:
                    pass

    async def key(self, key_id: str) -> RSAKey | None:
        """The key of this name; None when the issuer has none. Raises KeysUnavailableError."""
        if self._known(key_id) is None and not self._is_pausing:
            self._wanted.set()
            try:
                async with asyncio.timeout(DEADLINE_S + 1):
                    await self._read.wait()
            except TimeoutError:
                raise KeysUnavailableError(f"the keys of {self._issuer} do not come") from None
        return self._found(key_id)


class IssuerKeysOnDemand(_KeptKeys):
    """The same for a function: read when they are old or do not have the key. For one call at a time.

    By the wall clock, as a function that is frozen between its calls may find the monotonic one stopped.
    """

    def __init__(self, issuer: str, url: str) -> None:
        super().__init__(issuer, url, time.time)
        self._asked_s = -math.inf

    async def key(self, key_id: str) -> RSAKey | None:
        """The key of this name; None when the issuer has none. Raises KeysUnavailableError."""
        is_wanted = self._known(key_id) is None or self._age_s() > FRESH_S
        if is_wanted and self._clock_s() - self._asked_s >= PAUSE_S:
            async with _client() as client:
                await self._refresh(client)
            self._asked_s = self._clock_s()
        return self._found(key_id)


def _client() -> httpx.AsyncClient:
    # Redirects are not followed: the keys are where the settings say, or nowhere.
    return httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S, follow_redirects=False)


def _usable(body: bytes) -> dict[str, RSAKey]:
    """The keys for RS256 in a key set. Raises ValueError when there is none."""
    found = {}
    for key in msgspec.json.decode(body, type=_KeySet).keys:
        if key.kid and (key.kty, key.use, key.alg) == ("RSA", "sig", "RS256"):
            try:
                if base64_to_int(key.n).bit_length() in MODULUS_BITS:
                    found[key.kid] = RSAKey.import_key({"kty": "RSA", "n": key.n, "e": key.e})
            except (JoseError, ValueError):
                logger.warning("key %s is no RSA key", key.kid[:100])
    if not found:
        raise ValueError("no key for RS256 is among them")
    return found
