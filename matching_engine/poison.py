"""A command at which the engine stops (design decision 12): once by exit, then by halting.

A broken promise inside `apply` ends the process, because its state is worth nothing afterwards. The
start-up after it would meet the same command again; so its place is noted, and the second time the
engine halts there and says so. Only an order on the command log itself, signed by the operator's key,
goes past it: `python -m services.operator skip --help` makes one. The command is then refused with
REJECT_SKIPPED, by every engine alike.
"""

import contextlib
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from exchange.contracts.codec import decode_commands
from exchange.contracts.commands import SkipCommand
from exchange.log.records import records_between
from exchange.ports.world import Log
from exchange.process.config import Settings
from exchange.security.skip_order import signed_text
from matching_engine.core.shard import PoisonError

__all__ = [
    "HALT_AT",
    "PoisonNote",
    "PoisonNotes",
    "PoisonWatch",
    "find_skip",
    "load_operator_key",
    "noting_poison",
]

HALT_AT = 2


class PoisonNote(msgspec.Struct, frozen=True):
    """Where the engine stopped, how often, and why."""

    offset: int
    index: int
    times: int
    reason: str


class PoisonNotes:
    """All such places that no snapshot lies behind yet, kept in a file: they have to outlive the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[PoisonNote]:
        """Return the notes in the log's order; none when the file cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[PoisonNote])
        except (FileNotFoundError, msgspec.DecodeError):
            return []

    def add(self, offset: int, index: int, reason: str) -> None:
        """Count one more stop at this place. Raises OSError."""
        others = [note for note in self.read() if (note.offset, note.index) != (offset, index)]
        times = 1 + sum(n.times for n in self.read() if (n.offset, n.index) == (offset, index))
        self._write([*others, PoisonNote(offset, index, times, reason[:1000])])

    def forget_before(self, offset: int) -> None:
        """Drop what lies before this record: a snapshot is past it. Raises OSError."""
        notes = self.read()
        kept = [note for note in notes if note.offset >= offset]
        if kept != notes:
            self._write(kept)

    def _write(self, notes: list[PoisonNote]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(sorted(notes, key=lambda note: (note.offset, note.index))))
        partial.replace(self._path)


@dataclass(frozen=True)
class PoisonWatch:
    """What a runner needs: the notes, and whose order it obeys (nobody's without a key)."""

    notes: PoisonNotes
    operator_key: Ed25519PublicKey | None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Notes in the data folder, and the operator's key. Raises ValueError on a key that is none."""
        return cls(
            PoisonNotes(settings.data_dir / "poison.json"), load_operator_key(settings.operator_public_key)
        )


@contextlib.contextmanager
def noting_poison(watch: PoisonWatch | None) -> Iterator[None]:
    """Note the command at which the engine stops, and raise on."""
    try:
        yield
    except PoisonError as error:
        if watch is not None:
            watch.notes.add(error.offset, error.index, error.reason)
        raise


def load_operator_key(pem: str) -> Ed25519PublicKey | None:
    """Read the public key from the settings; None for "". Raises ValueError."""
    if not pem:
        return None
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the operator's key is not an Ed25519 public key in PEM")
    return key


async def find_skip(
    log: Log, shard: int, note: PoisonNote, operator_key: Ed25519PublicKey | None, first: int
) -> tuple[bool, int]:
    """Look for the operator's order from offset `first` to the log's end.

    Returns whether it is there, and the offset to go on from. Raises LogError.
    """
    end = await log.end_offset()
    if operator_key is None or first >= end:
        return False, first
    async with aclosing(records_between(log, first, end)) as records:
        async for record in records:
            for command in decode_commands(record.value):
                if isinstance(command, SkipCommand) and _is_for(command, shard, note, operator_key):
                    return True, record.offset + 1
    return False, end


def _is_for(command: SkipCommand, shard: int, note: PoisonNote, operator_key: Ed25519PublicKey) -> bool:
    if (command.offset, command.index) != (note.offset, note.index):
        return False
    try:
        operator_key.verify(
            bytes.fromhex(command.signature), signed_text(shard, command.offset, command.index)
        )
    except (InvalidSignature, ValueError):
        return False
    return True
