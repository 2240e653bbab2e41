"""Codes of an authenticator: six digits from a secret and the time (RFC 6238). Pure, but for new secrets."""

import base64
import hmac
import re
import secrets
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

__all__ = ["SECRET_SIZE_BYTES", "STEP_S", "authenticator_uri", "new_secret", "steps_of_code", "totp_code"]

STEP_S: Final = 30
# What every authenticator can, and most can do nothing else (RFC 4226: 160 bits, six digits).
SECRET_SIZE_BYTES: Final = 20
_DIGITS: Final = 6
# A clock may be a step off, and people type slowly.
_STEPS_AROUND: Final = (0, -1, 1)
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


def new_secret() -> bytes:
    """A secret that nobody else has."""
    return secrets.token_bytes(SECRET_SIZE_BYTES)


def authenticator_uri(secret: bytes, name: str) -> str:
    """The address that authenticators read, for somebody of this name."""
    text = base64.b32encode(secret).decode()
    return f"otpauth://totp/{quote('Exchange:' + name, safe='')}?secret={text}&issuer=Exchange"


def totp_code(secret: bytes, step: int) -> str:
    """The code of a step of 30 seconds since 1970."""
    totp = TOTP(secret, _DIGITS, SHA1(), STEP_S, enforce_key_length=False)
    return totp.generate(step * STEP_S).decode()


def steps_of_code(secret: bytes, code: str, now_ms: int) -> list[int]:
    """The steps around now of which `code` is the code, the likeliest first; none when it is wrong.

    Whoever takes a code moves on to its step, so that it is good once.
    """
    if not _CODE.fullmatch(code):
        return []
    now_step = now_ms // (STEP_S * 1000)
    steps = [now_step + around for around in _STEPS_AROUND]
    return [step for step in steps if hmac.compare_digest(totp_code(secret, step), code)]
