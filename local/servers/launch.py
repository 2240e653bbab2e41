"""Becomes a server process: ties its life to the parent's, drops to another user, then execs.

Run as ``python -I -S launch.py PARENT_PID SIGNAL UID UMASK NICENESS PROGRAM [ARG ...]``, by path, so that it
imports nothing of the project. A separate program, not ``preexec_fn``: that one runs Python between fork and
exec, which can deadlock when the parent has threads. All five are decimal numbers; UID -1 keeps the user,
UMASK -1 the parent's, NICENESS 0 the priority.
"""

import ctypes
import os
import sys
import time

PR_SET_PDEATHSIG = 1
_AUTOGROUP = "/proc/self/autogroup"
# Linux takes one such word in a tenth of a second from all users but root.
_TRIES = 10
_TRY_AGAIN_S = 0.06


def give_way(niceness: int) -> None:
    """Let processes of a lower niceness go first; where the system has no such thing, nothing changes."""
    os.nice(niceness)
    # Where Linux shares the processor among sessions first, a process's own word counts only within its own.
    for _ in range(_TRIES):
        try:
            with open(_AUTOGROUP, "w", encoding="ascii") as autogroup:
                autogroup.write(str(niceness))
        except BlockingIOError:
            time.sleep(_TRY_AGAIN_S)
        except OSError:
            return
        else:
            return


def main(argv: list[str]) -> None:
    """Does not return: execs the program, or exits with a message."""
    parent_pid, death_signal, uid, umask, niceness = (int(word) for word in argv[1:6])
    command = argv[6:]
    if niceness:
        give_way(niceness)
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which would clear it. Kept through exec.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit("the parent ended before the server could start")
    if umask >= 0:
        os.umask(umask)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error}")


if __name__ == "__main__":
    main(sys.argv)
