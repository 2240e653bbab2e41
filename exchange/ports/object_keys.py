"""Keys of the object store: what they may look like, and who keeps what under which."""

import re
from typing import Final

from exchange.ports.world import ObjectStoreError

__all__ = ["archive_prefix", "audit_prefix", "check_key", "snapshots_prefix"]

KEY_LENGTH_MAX: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY: Final = re.compile(rf"{_PART}(/{_PART})*", re.ASCII)


def check_key(key: str) -> None:
    """Raise ObjectStoreError unless `key` is plain names joined by slashes; none begins with a dot."""
    if len(key) > KEY_LENGTH_MAX or _KEY.fullmatch(key) is None:
        raise ObjectStoreError(f"{key[:KEY_LENGTH_MAX]!r} is no key")


def snapshots_prefix(shard: int) -> str:
    """Where a shard's engine keeps its snapshots."""
    return f"snapshots/{shard}/"


def audit_prefix(shard: int) -> str:
    """Where the auditor of a shard keeps its checkpoints."""
    return f"audit/{shard}/"


def archive_prefix(shard: int, log: str) -> str:
    """Where the segments of one log of a shard are kept; `log` is "commands" or "events"."""
    return f"archive/{shard}/{log}/"
