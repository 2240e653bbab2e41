"""Who works in a folder: a lock that a server's processes carry, and that ends with the last of them.

A number in a pid file proves little: it may be a zombie's, another process may have it by now, and a server
in another container has a number that means nothing here. The lock is the kernel's (flock): the server and
all that it forks inherit its descriptor, and it is free once the last of them has let go of its memory and
its files, whether or not anybody has reaped them. It holds across containers that share a folder.
"""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from local.servers.errors import ServerError

__all__ = ["hold", "holders", "lock_file", "try_lock"]

# What was killed has still to write out and to hand back its memory; a server that stops at once on SIGQUIT
# gives its children 5 s.
EXIT_DEADLINE_S: Final = 20.0
_POLL_S: Final = 0.02
_BUSY: Final = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def lock_file(data_dir: Path, name: str) -> Path:
    """The file that the processes of the server `name` keep locked."""
    return data_dir / "pids" / f"{name}.lock"


def try_lock(descriptor: int, path: Path) -> bool:
    """Lock an open file for this process and its heirs; False while others hold it.

    Raises ServerError where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise ServerError(
            f"{path} cannot be locked ({os.strerror(error.errno or 0)}): DATA_DIR= has to be on a local disk"
        ) from None
    return True


def hold(path: Path, name: str) -> int:
    """Open and lock `path`, which is to be inherited by the server `name`; returns the open descriptor.

    Waits up to EXIT_DEADLINE_S for an earlier server's processes to end. Raises ServerError when they do not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + EXIT_DEADLINE_S
        while not try_lock(descriptor, path):
            if time.monotonic() >= give_up:
                raise ServerError(_still_held(path, name))
            time.sleep(_POLL_S)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _still_held(path: Path, name: str) -> str:
    seen = holders(path)
    who = f"process {', '.join(map(str, seen))}" if seen else "out of sight, perhaps in another container"
    return (
        f"{path.parent.parent} is in use: its {name} still runs ({who}); end that, or choose another folder: "
        "DATA_DIR="
    )


def holders(path: Path) -> list[int]:
    """The ids of the processes that can be seen to have `path` open, but for this one."""
    wanted = path.stat()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _has_open(entry, wanted):
            found.append(int(entry.name))
    return sorted(found)


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    try:
        for descriptor in (process / "fd").iterdir():
            status = descriptor.stat()
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError:
        pass  # It has ended meanwhile, or is another user's.
    return False
