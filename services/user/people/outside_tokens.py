"""What the user service alone asks of tokens: of which kind one is, and what e-mail address it proves."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from exchange.security.identity.tokens import Claims
from services.user.people.email import Email

__all__ = ["is_outside", "verified_email"]

_email: Final = TypeAdapter[str](Email)


def is_outside(token: str) -> bool:
    """Whether it claims to be a JWT. Our own tokens have no dots."""
    return "." in token


def verified_email(claims: Claims) -> str | None:
    """The address in our form, None when the issuer has not verified it or no account can have it."""
    if claims.email is None or claims.email_verified not in (True, "true"):
        return None
    try:
        return _email.validate_python(claims.email)
    except ValidationError:
        return None
