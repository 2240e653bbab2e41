"""A `Topic` in a file, for where there is no SNS: what would be sent to people, a line of JSON each."""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from exchange.ports.messages import Announcement, MessageError

__all__ = ["FileTopic"]

FILE_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024


class FileTopic:
    """Appends to `path`; when it is full it becomes `path`.1, and what was there before is gone."""

    def __init__(self, path: Path, size_bytes_max: int = FILE_SIZE_BYTES_MAX) -> None:
        self._path = path
        self._size_bytes_max = size_bytes_max
        self._lock = asyncio.Lock()

    async def publish(self, announcement: Announcement) -> None:
        """Write one line. Raises MessageError."""
        line = msgspec.json.encode(announcement._asdict()) + b"\n"
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, line)
            except OSError as error:
                raise MessageError(f"{self._path.name}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is kept open."""

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size + len(line) > self._size_bytes_max:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        with self._path.open("ab") as file:
            file.write(line)
