"""Marked places at which a process kills itself when a test has asked for it.

A process that was started with `EXCHANGE_CRASH_POINTS=<folder>` looks, at each marked place, for a file of
the place's name in that folder; any other process does nothing there. So a test can arm a process that runs
already. The file goes before the process does: exactly one process dies, and its successor lives.
"""

import os
import signal
from pathlib import Path
from typing import Final

__all__ = ["CRASH_POINTS", "arm", "crash_point", "disarm", "watch"]

# Every place that the code marks; a test holds the list equal to the calls.
CRASH_POINTS: Final = (
    "engine.after-publish",
    "engine.before-publish",
    "gateway.after-append",
    "ledger.after-commit",
    "ledger.before-commit",
    "object.before-link",
    "object.half-written",
    "order.before-answer",
)

_folder: Path | None = None
_visits: dict[str, int] = {}


def watch(folder: Path | None) -> None:
    """Have the marked places of this process look into `folder`; None: have them do nothing."""
    global _folder
    _folder = folder
    _visits.clear()


def crash_point(name: str) -> None:
    """Mark a place. SIGKILL to the own process when it is armed."""
    if _folder is not None:
        _visit(_folder / name, name)


def arm(folder: Path, name: str, visits: int = 1) -> None:
    """Let the next process that comes to the place for the `visits`-th time die there."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{name}.new"
    fresh.write_text(str(visits))
    fresh.rename(folder / name)


def disarm(folder: Path, name: str) -> bool:
    """Take the order back. False when a process has died of it."""
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    return True


def _visit(file: Path, name: str) -> None:
    try:
        wanted = int(file.read_text())
        _visits[name] = _visits.get(name, 0) + 1
        if _visits[name] < wanted:
            return
        file.unlink()
    except FileNotFoundError:
        _visits.pop(name, None)
        return
    os.kill(os.getpid(), signal.SIGKILL)
