"""Who a browser is that wants notices: the identity token that it shows, against its issuer's keys."""

import re
from typing import Any, Final

import jwt

__all__ = ["BrowserTokens", "TokenError"]

TOKEN_LENGTH_MAX: Final = 8_192
# What the issuer puts in for us. Not a "custom:" attribute of Cognito: those a user may write himself.
USER_CLAIM: Final = "exchange_user_id"
_KEYS_DEADLINE_S: Final = 3
_LEEWAY_S: Final = 5
_USER_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


class TokenError(Exception):
    """The token is not one of ours, not valid now, or names no user."""


class BrowserTokens:
    """Checks tokens of one issuer, RS256 alone. Its keys are fetched once and kept for five minutes.

    `audience` "" accepts every client of the issuer.
    """

    def __init__(self, issuer: str, audience: str = "", keys_url: str = "") -> None:
        self._issuer = issuer
        self._audience = audience
        url = keys_url or f"{issuer}/.well-known/jwks.json"
        self._keys = jwt.PyJWKClient(url, cache_keys=True, timeout=_KEYS_DEADLINE_S)

    def user_id(self, token: str) -> int:
        """Id of the user whom the token names. Blocks up to three seconds. Raises TokenError."""
        if not 0 < len(token) <= TOKEN_LENGTH_MAX:
            raise TokenError("no token")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token),
                algorithms=["RS256"],
                issuer=self._issuer,
                audience=self._audience or None,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss"], "verify_aud": bool(self._audience)},
            )
        except jwt.PyJWTError as error:
            raise TokenError(type(error).__name__) from None
        found = _USER_ID.fullmatch(str(claims.get(USER_CLAIM, "")))
        if found is None:
            raise TokenError(f"without {USER_CLAIM}")
        return int(found[0])
