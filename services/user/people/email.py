"""What an e-mail address may look like: the one form in which an account keeps it."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

__all__ = ["EMAIL_LENGTH_MAX", "Email"]

EMAIL_LENGTH_MAX: Final = 254  # RFC 5321: a path of 256 octets with its two brackets

# Letters that look alike in other scripts never name another mailbox: ASCII only (RFC 5322 dot-atom).
_LOCAL_PART: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL: Final = re.compile(rf"(?P<local>{_LOCAL_PART})@{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})+", re.ASCII)
_LOCAL_PART_LENGTH_MAX: Final = 64


def _email(text: str) -> str:
    # Before lower(): it turns the Kelvin sign into a k.
    if not text.isascii():
        raise ValueError("only ASCII characters are taken")
    found = _EMAIL.fullmatch(text.lower())
    if found is None or len(found["local"]) > _LOCAL_PART_LENGTH_MAX:
        raise ValueError("not an e-mail address")
    return found[0]


Email = Annotated[str, Field(max_length=EMAIL_LENGTH_MAX), AfterValidator(_email)]
