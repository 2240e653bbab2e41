"""Checkpoints in a folder: where the audit goes on after a restart. A torn one counts as none."""

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import Final

from services.auditor.audit.image import ImageError, state_of, to_bytes
from services.auditor.audit.state import AuditState

__all__ = ["CHECKPOINTS_FOLDER", "Checkpoints"]

logger = logging.getLogger(__name__)

CHECKPOINTS_FOLDER: Final = "auditor"
_KEPT: Final = 2
_MAGIC: Final = b"EXAUDIT1"
_HASH_SIZE_BYTES: Final = 32


class Checkpoints:
    """The newest states that added up, each with the place on the event log behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def save(self, state: AuditState, next_offset: int) -> None:
        """Write the state; it is copied before the first await. Raises OSError."""
        body, name = to_bytes(state, next_offset), f"audit-{state.seq:020d}"
        await asyncio.to_thread(self._write, name, body)

    async def load(self) -> tuple[AuditState, int]:
        """The newest whole state and the offset behind it; an empty one when there is none."""
        for path in await asyncio.to_thread(self._paths):
            try:
                return state_of(await asyncio.to_thread(_body_of, path))
            except (ImageError, OSError) as error:
                logger.warning("checkpoint %s is not used: %s", path.name, error)
        return AuditState(), 0

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{name}.partial"
        with partial.open("wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._folder / name)
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        for old in self._paths()[_KEPT:]:
            old.unlink()

    def _paths(self) -> list[Path]:
        """Checkpoints, newest first."""
        return sorted((p for p in self._folder.glob("audit-*") if p.suffix != ".partial"), reverse=True)


def _body_of(path: Path) -> bytes:
    data = path.read_bytes()
    start = len(_MAGIC) + _HASH_SIZE_BYTES
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        raise ImageError("torn, or of another format")
    return body
