"""An exchange below a first process that never reaps, as in many containers: whatever dies stays a zombie.

``python -m tests.e2e.unreaping COMMAND ...`` is that process (Linux): it runs the command, becomes the parent
of all that lose theirs, and reaps nobody. It ends with the command's own exit code; where a signal has ended
the command, it stays, and the dead with it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from typing import Final

import psutil

from local.exchange_process import STOP_DEADLINE_S, ExchangeProcess
from local.servers.process import tied_to_this_process

__all__ = ["UnreapedExchange"]

_PR_SET_CHILD_SUBREAPER: Final = 36


class UnreapedExchange(ExchangeProcess):
    """An exchange that leaves zombies when it is killed; they go when the exchange is removed."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._parents_of_the_dead: list[subprocess.Popen[bytes]] = []

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.e2e.unreaping", *super()._command()]

    def kill(self) -> None:
        """`kill -9` of everything at once. Waits for nobody: the next start may follow immediately."""
        process = self._process
        if process is None:
            return
        for member in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._parents_of_the_dead.append(process)
        self._process = None

    def zombies(self) -> int:
        """How many of its dead nobody has reaped."""
        below = (psutil.Process(parent.pid).children() for parent in self._parents_of_the_dead)
        return sum(child.status() == psutil.STATUS_ZOMBIE for children in below for child in children)

    def stop(self) -> None:
        """Ctrl-C, then wait."""
        process = self._process
        if process is not None and process.poll() is None:
            for member in psutil.Process(process.pid).children():
                member.send_signal(signal.SIGINT)
            process.wait(STOP_DEADLINE_S)
        self._process = None

    def remove(self) -> None:
        """Forget its state, and let the dead go."""
        for parent in self._parents_of_the_dead:
            parent.kill()
            parent.wait()
        super().remove()


def main(command: list[str]) -> int:
    """Run the command; returns its exit code, or never."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tied = tied_to_this_process(command, signal.SIGKILL, umask=None)
    pid = os.posix_spawn(tied[0], tied, os.environ)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    while ended is None or ended.si_code != os.CLD_EXITED:
        signal.pause()
    return ended.si_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
