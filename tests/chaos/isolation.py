"""A network and a mount table of one's own (Linux, root): cut wires and full disks that nobody else sees.

Both vanish with the last process in them, however it ends.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

__all__ = ["Wire", "enter", "fill", "is_isolated", "problem", "small_disk"]

MARK: Final = "CHAOS_ISOLATED"
COMMAND_DEADLINE_S: Final = 10.0
# A rule of routing may stand before the one that finds local addresses only if that one is moved away.
LOCAL_RULE_PRIORITY: Final = 100
CUT_PRIORITY: Final = 10
MNT_DETACH: Final = 2


def is_isolated() -> bool:
    """Whether `enter` has been here."""
    return os.environ.get(MARK) == "1"


def problem() -> str | None:
    """Why there can be no isolation here; None when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    missing = [name for name in ("unshare", "ip", "mount") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    probe = "ip link set lo up && ip rule add pref 10 ipproto tcp dport 9 blackhole"
    probe = f"{probe} && mount -t tmpfs -o size=64k tmpfs /mnt"
    result = _run(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", probe])
    return None if result.returncode == 0 else f"not permitted here: {result.stderr.strip()[:200]}"


def enter(argv: Sequence[str]) -> None:
    """Become the same program in a network and a mount table of its own. Does not return."""
    os.environ[MARK] = "1"
    namespaces = ["unshare", "--net", "--mount", "--propagation", "private"]
    os.execvp("unshare", [*namespaces, sys.executable, *argv])


def prepare_network() -> None:
    """Bring the own network's loopback up, and make room for cuts. Once, after `enter`."""
    _check(["ip", "link", "set", "lo", "up"])
    _check(["ip", "rule", "add", "pref", str(LOCAL_RULE_PRIORITY), "lookup", "local"])
    _check(["ip", "rule", "del", "pref", "0", "lookup", "local"])


class Wire:
    """The way to and from one TCP port of this machine, which can be cut: packets get lost in silence, as
    on a broken network, and TCP sends them again once the wire is whole."""

    def __init__(self, port: int) -> None:
        self._port = port

    @contextlib.contextmanager
    def cut(self, direction: str) -> Iterator[None]:
        """`direction`: "to" the server, "from" it, or "both"."""
        ends = {"to": ["dport"], "from": ["sport"], "both": ["dport", "sport"]}[direction]
        rules = [["pref", str(CUT_PRIORITY), "ipproto", "tcp", end, str(self._port)] for end in ends]
        with contextlib.ExitStack() as whole_again:
            for rule in rules:
                _check(["ip", "rule", "add", *rule, "blackhole"])
                whole_again.callback(_check, ["ip", "rule", "del", *rule])
            yield


@contextlib.contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[None]:
    """An empty file system of limited size at `folder`, which is made; gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_mib}m,mode=0755"
    _check(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)])
    try:
        yield
    finally:
        # Whoever still has a file open there may keep it; the name is free at once.
        ctypes.CDLL(None, use_errno=True).umount2(str(folder).encode(), MNT_DETACH)


@contextlib.contextmanager
def fill(folder: Path) -> Iterator[None]:
    """Leave not a byte free on the file system of `folder`; give all back afterwards."""
    ballast = folder / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        status = os.fstatvfs(descriptor)
        step = status.f_bavail * status.f_frsize
        size = 0
        while step >= status.f_frsize:
            try:
                os.posix_fallocate(descriptor, size, step)
                size += step
            except OSError:
                step //= 2
        yield
    finally:
        os.close(descriptor)
        ballast.unlink()


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False)


def _check(command: Sequence[str]) -> None:
    result = _run(command)
    if result.returncode != 0:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")
