"""Which passwords are not taken: what is guessed first. Length is the schema's matter."""

from typing import Final

__all__ = ["weakness"]

_LETTERS_MIN: Final = 5
# The first guesses of every list; what is longer and looks different is left to its owner
# (NIST SP 800-63B, 5.1.1.2: compare with what is commonly used, and ask for no mixture of characters).
_COMMON: Final = """
password passw0rd p@ssw0rd p@ssword password1 password12 password123 passwort 12345678 123456789 1234567890
0123456789 87654321 987654321 qwertyui qwertyuiop qwerty123 1q2w3e4r 1q2w3e4r5t asdfghjk asdfghjkl zxcvbnm1
abcd1234 abc12345 abcdefgh letmein1 letmein123 welcome1 welcome123 iloveyou iloveyou1 sunshine princess
football baseball superman trustno1 starwars whatever computer internet changeme changeme1 admin123
administrator bitcoin1 bitcoin123 satoshi1 ethereum exchange binance1 q1w2e3r4 aa123456 a1b2c3d4
"""
_FIRST_GUESSES: Final = frozenset(_COMMON.split())


def weakness(password: str) -> str | None:
    """What is wrong with a new password, in words; None when nothing is."""
    if not password.strip():
        return "not only spaces"
    if len(set(password)) < _LETTERS_MIN:
        return f"at least {_LETTERS_MIN} different characters"
    if password.casefold() in _FIRST_GUESSES:
        return "one of the first that anybody would guess"
    return None
