"""The data folder of a local exchange: made, locked to one owner, told apart by mode."""

import fcntl
import os
from pathlib import Path

from local.servers import ServerError

__all__ = ["DataFolder"]


class DataFolder:
    """A folder that holds all state of one local exchange. The lock ends with the process."""

    def __init__(self, path: Path, mode: str) -> None:
        """Make and lock the folder. Raises ServerError when another exchange lives there."""
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ServerError(f"{path} belongs to an exchange that is running; choose DATA_DIR=") from None
        # The two modes keep their logs in different places: one database must not follow both.
        self.state = self.path / mode
        self.state.mkdir(exist_ok=True)
        self.run = self.path / "run"
        self.run.mkdir(exist_ok=True)
        for stale in self.run.glob("*.pid"):
            stale.unlink()
