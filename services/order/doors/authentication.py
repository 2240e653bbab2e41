"""Who sends a request, and whether the key, the signature, the time and the address are right.

Rules: binance-spot-api section 0 (2, 3, 7) and section 1. The signature covers the raw bytes received,
so nothing is parsed and encoded again here.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from exchange.contracts.errors import (
    ApiError,
    empty_parameter,
    illegal_characters,
    invalid_key,
    mandatory_parameter,
    stale_timestamp,
    unavailable,
)
from exchange.http.query_parameters import MICROSECONDS_FROM, Parameters, required, whole_number
from exchange.money import NumberError, parse_fixed
from exchange.security.credentials import HMAC, ApiKey, Credentials, CredentialsError
from services.order.decisions.call import Caller

__all__ = [
    "Authenticator",
    "signed_payload",
]

RECEIVE_WINDOW_DEFAULT_US: Final = 5_000_000
RECEIVE_WINDOW_MAX_US: Final = 60_000_000
RECEIVE_WINDOW_PATTERN: Final = r"^[0-9]{1,20}(\.[0-9]{1,3})?$"
AHEAD_MAX_US: Final = 1_000_000
_API_KEY: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}", re.ASCII)


def signed_payload(query: bytes, body: bytes) -> bytes:
    """The bytes under the signature: query then body, without the `signature=…` pair (rule 0.2)."""
    return _without_signature(query) + _without_signature(body)


def _without_signature(raw: bytes) -> bytes:
    if raw.startswith(b"signature="):
        return raw.partition(b"&")[2]
    head, found, tail = raw.partition(b"&signature=")
    if not found:
        return raw
    _, more, rest = tail.partition(b"&")
    return head + more + rest


class Authenticator:
    """Checks requests. `clock_us`: the server's time in microseconds since 1970."""

    def __init__(self, credentials: Credentials, clock_us: Callable[[], int]) -> None:
        self._credentials = credentials
        self._clock_us = clock_us

    async def identify(self, api_key: str | None, client_ip: str, permission: str) -> Caller:
        """Check a key alone, for calls that are not signed. Raises -2014, -2015."""
        key = await self._find(check_format(api_key))
        self._authorize(key, client_ip, permission)
        return Caller(key.user_id, key.api_key, key.kind, 0)

    async def authenticate(
        self,
        api_key: str | None,
        parameters: Parameters,
        payload: bytes,
        client_ip: str,
        permission: str,
    ) -> Caller:
        """Check a signed request. Raises ApiError: -2014, -1102, -1021, -1022, -1100, -1131, -2015."""
        formed_key = check_format(api_key)
        signature = parameters.get("signature")
        if not signature:
            raise mandatory_parameter("signature")
        valid_until_ms = self.check_time(parameters)
        key = await self._find(formed_key)
        if not is_signature_valid(key, signature, payload):
            raise ApiError(-1022, "Signature for this request is not valid.")
        self._authorize(key, client_ip, permission)
        return Caller(key.user_id, key.api_key, key.kind, valid_until_ms)

    def check_time(self, parameters: Parameters) -> int:
        """Check `timestamp` and `recvWindow`; return when the request becomes stale, in ms.

        Accepted: timestamp < now + 1000 ms and now - timestamp <= recvWindow (section 1, timing).
        Timestamps may count milliseconds or microseconds.
        """
        timestamp_us = whole_number("timestamp", required(parameters, "timestamp"))
        if timestamp_us < MICROSECONDS_FROM:
            timestamp_us *= 1_000
        window_us = _receive_window_us(parameters.get("recvWindow"))
        now_us = self._clock_us()
        if timestamp_us >= now_us + AHEAD_MAX_US:
            raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_us - timestamp_us > window_us:
            raise stale_timestamp()
        return (timestamp_us + window_us) // 1_000

    async def _find(self, api_key: str) -> ApiKey:
        try:
            key = await self._credentials.find(api_key)
        except CredentialsError:
            raise unavailable() from None
        if key is None:
            raise invalid_key()
        return key

    def _authorize(self, key: ApiKey, client_ip: str, permission: str) -> None:
        if permission not in key.permissions or not key.allows_ip(client_ip):
            raise invalid_key()


def check_format(api_key: str | None) -> str:
    """The key if its text could be one, else -2014."""
    if not api_key or _API_KEY.fullmatch(api_key) is None:
        raise ApiError(-2014, "API-key format invalid.", 401)
    return api_key


def _receive_window_us(text: str | None) -> int:
    if text is None:
        return RECEIVE_WINDOW_DEFAULT_US
    if text == "":
        raise empty_parameter("recvWindow")
    try:
        window_us = parse_fixed(text, 3)
    except NumberError:
        raise illegal_characters("recvWindow", RECEIVE_WINDOW_PATTERN) from None
    if window_us > RECEIVE_WINDOW_MAX_US:
        raise ApiError(-1131, "recvWindow must be less than 60000.")
    return window_us


def is_signature_valid(key: ApiKey, signature: str, payload: bytes) -> bool:
    """HMAC-SHA256 in hex of any case, or Ed25519 or RSA PKCS1-v1_5 in base64."""
    if key.kind == HMAC:
        if key.secret is None or not signature.isascii():
            return False
        expected = hmac.digest(key.secret, payload, "sha256").hex()
        return hmac.compare_digest(expected, signature.lower())
    if key.public_key_pem is None:
        return False
    public_key = _public_key(key.public_key_pem)
    if public_key is None:
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(public_key, Ed25519PublicKey):
            public_key.verify(raw, payload)
        else:
            public_key.verify(raw, payload, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@lru_cache(maxsize=4_096)
def _public_key(pem: str) -> Ed25519PublicKey | RSAPublicKey | None:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey | RSAPublicKey) else None
