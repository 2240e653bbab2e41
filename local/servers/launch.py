"""Becomes a server process: ties its life to the parent's, drops to another user, then execs.

Run as ``python -I -S launch.py PARENT_PID SIGNAL UID PROGRAM [ARG ...]``, by path, so that it imports nothing
of the project. A separate program, not ``preexec_fn``: that one runs Python between fork and exec, which can
deadlock when the parent has threads. UID -1 keeps the user.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Does not return: execs the program, or exits with a message."""
    parent_pid, death_signal, uid = int(argv[1]), int(argv[2]), int(argv[3])
    command = argv[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which would clear it. Kept through exec.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit("the parent ended before the server could start")
    os.umask(0o077)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error}")


if __name__ == "__main__":
    main(sys.argv)
