"""Keys of the object store: what they may look like, and who keeps what under which."""

import re
from typing import Final, NamedTuple

from exchange.ports.world import ObjectStoreError

__all__ = [
    "SnapshotPlace",
    "archive_prefix",
    "audit_prefix",
    "check_key",
    "snapshot_name",
    "snapshot_place",
    "snapshots_prefix",
]

KEY_LENGTH_MAX: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
# Snapshots of format 4 came before names told the format.
_NAMELESS_FORMAT: Final = 4
_SNAPSHOT: Final = re.compile(r"snapshot([0-9]*)-([0-9]{20})-([0-9]{20})", re.ASCII)
_KEY: Final = re.compile(rf"{_PART}(/{_PART})*", re.ASCII)


def check_key(key: str) -> None:
    """Raise ObjectStoreError unless `key` is plain names joined by slashes; none begins with a dot."""
    if len(key) > KEY_LENGTH_MAX or _KEY.fullmatch(key) is None:
        raise ObjectStoreError(f"{key[:KEY_LENGTH_MAX]!r} is no key")


def snapshots_prefix(shard: int) -> str:
    """Where a shard's engine keeps its snapshots."""
    return f"snapshots/{shard}/"


class SnapshotPlace(NamedTuple):
    """What a snapshot's name tells: where on the logs its state is, and in which format (core/state.py)."""

    command_offset: int
    seq: int
    form: int


def snapshot_name(place: SnapshotPlace) -> str:
    """The last part of a snapshot's key."""
    told = "" if place.form == _NAMELESS_FORMAT else str(place.form)
    return f"snapshot{told}-{place.command_offset:020d}-{place.seq:020d}"


def snapshot_place(key: str) -> SnapshotPlace | None:
    """The place of the snapshot under `key`, None of a key that is no snapshot's."""
    match = _SNAPSHOT.fullmatch(key.rpartition("/")[2])
    if match is None:
        return None
    return SnapshotPlace(int(match[2]), int(match[3]), int(match[1] or _NAMELESS_FORMAT))


def audit_prefix(shard: int) -> str:
    """Where the auditor of a shard keeps its checkpoints."""
    return f"audit/{shard}/"


def archive_prefix(shard: int, log: str) -> str:
    """Where the segments of one log of a shard are kept; `log` is "commands" or "events"."""
    return f"archive/{shard}/{log}/"
