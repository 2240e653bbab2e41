"""What a key of an object store may look like: the same in a folder and in a bucket."""

import re
from typing import Final

from exchange.ports import ObjectStoreError

__all__ = ["check_key"]

KEY_LENGTH_MAX: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY: Final = re.compile(rf"{_PART}(/{_PART})*", re.ASCII)


def check_key(key: str) -> None:
    """Raise ObjectStoreError unless `key` is plain names joined by slashes; none begins with a dot."""
    if len(key) > KEY_LENGTH_MAX or _KEY.fullmatch(key) is None:
        raise ObjectStoreError(f"{key[:KEY_LENGTH_MAX]!r} is no key")
