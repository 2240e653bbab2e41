"""Tokens of outside issuers: JWTs (RFC 7519) as Cognito makes them, and why one is refused.

Pure: the caller brings the issuer's key and the time. What is not asked for here is not believed: one
algorithm, a header with nothing but its name and the key's, and claims of the right types.
"""

import base64
import binascii
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

__all__ = ["TOKEN_LENGTH_MAX", "Claims", "SeenToken", "TokenRefusedError", "check", "owner_of", "read"]

# Cognito's have one to two thousand characters.
TOKEN_LENGTH_MAX: Final = 8_192
# How far an issuer's clock and ours may be apart.
LEEWAY_S: Final = 30
# Cognito's own limit; without one, a log-out would have to be remembered for ever.
LIFETIME_S_MAX: Final = 86_400
_ALGORITHMS: Final = ["RS256"]
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class TokenRefusedError(Exception):
    """The token proves nothing; the message says why, and repeats nothing of it."""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing that would name or bring another key, or change how the token is read (jwk, jku, crit, b64)."""

    alg: Literal["RS256"]
    kid: Name
    typ: str = "JWT"


class Claims(msgspec.Struct, frozen=True):
    """Times in seconds since 1970. `origin_jti`: the log-in that this token and its refreshed ones are of."""

    iss: Name
    sub: Name
    jti: Name
    token_use: Literal["access", "id"]
    iat: int
    exp: int
    nbf: int | None = None
    aud: str | list[str] = ""
    client_id: str = ""
    origin_jti: Name | None = None
    email: str | None = None
    # Text for users whose attributes were copied from elsewhere.
    email_verified: bool | str = False


class SeenToken(NamedTuple):
    """A token that is well-formed. Nobody has looked at its signature yet."""

    text: str
    key_id: str
    claims: Claims


_header_decoder: Final = msgspec.json.Decoder(_Header)
_claims_decoder: Final = msgspec.json.Decoder(Claims)


def read(token: str) -> SeenToken:
    """Take the token apart without believing it. Raises TokenRefusedError."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise TokenRefusedError(f"it has more than {TOKEN_LENGTH_MAX} characters")
    if _COMPACT.fullmatch(token) is None:
        raise TokenRefusedError("it is no signed token in compact form")
    header, payload, _ = token.split(".")
    try:
        key_id = _header_decoder.decode(_decoded(header)).kid
    except (ValueError, RecursionError):
        raise TokenRefusedError("its header must name RS256 and a key, and nothing else") from None
    try:
        return SeenToken(token, key_id, _claims_decoder.decode(_decoded(payload)))
    except (ValueError, RecursionError):
        raise TokenRefusedError("its claims are not those of an access or id token") from None


def _decoded(part: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def check(seen: SeenToken, key: "RSAKey", audiences: frozenset[str], now_s: int) -> Claims:
    """Return what is proven by the signature and the time. Raises TokenRefusedError."""
    # Who believes no issuer is spared the import.
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        jws.deserialize_compact(seen.text, key, algorithms=_ALGORITHMS)
    except JoseError:
        raise TokenRefusedError("its signature is wrong") from None
    claims = seen.claims
    if not _is_for(claims, audiences):
        raise TokenRefusedError("it was made for another audience")
    if now_s >= claims.exp + LEEWAY_S:
        raise TokenRefusedError("it has expired")
    if now_s + LEEWAY_S < max(claims.iat, claims.nbf or claims.iat):
        raise TokenRefusedError("it is not valid yet")
    if claims.exp - claims.iat > LIFETIME_S_MAX:
        raise TokenRefusedError(f"it is good for more than {LIFETIME_S_MAX} seconds")
    return claims


def _is_for(claims: Claims, audiences: frozenset[str]) -> bool:
    """Cognito names the client in `client_id` of an access token, and in `aud` of an id token."""
    if claims.token_use == "access":
        return claims.client_id in audiences
    named = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    # A token for several audiences may have come here from one of the others.
    return len(named) == 1 and named[0] in audiences


def owner_of(issuer: str, subject: str) -> str:
    """An identity as one text: of no other identity, as no issuer that is believed has a bar in its name.

    That is `parse_issuers`' rule. At most 2,041 bytes of UTF-8, as both are names; DynamoDB takes 2,048.
    """
    return f"{issuer}|{subject}"
