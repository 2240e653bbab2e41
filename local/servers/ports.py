"""Ports for servers that are about to start: none that an outgoing connection could take meanwhile.

The kernel gives outgoing connections ports of its ephemeral range (ip(7), `ip_local_port_range`), to which
`bind` with port 0 belongs too. What is chosen here lies below it, and no other process that chooses here
gets it while this one lives.
"""

import atexit
import random
import socket
from collections import deque
from pathlib import Path
from typing import Final

from local.servers.errors import ServerError

__all__ = ["free_port"]

_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_FIRST: Final = 32_768
# Above the ports of well-known servers.
_FIRST: Final = 10_240
_FEWEST: Final = 1_000
_TRIES_MAX: Final = 1_000
# By then whoever asked for the first of them listens on it.
_KEPT_MAX: Final = 128

_chance: Final = random.SystemRandom()
_kept: Final[deque[socket.socket]] = deque()


def free_port() -> int:
    """A TCP port on 127.0.0.1 on which nobody listens. Raises ServerError when a thousand tries find none."""
    end = _ephemeral_first()
    # A machine whose ephemeral range begins low: any port of it is as good, or as bad, as another.
    first = _FIRST if end - _FIRST >= _FEWEST else 1_024
    for _ in range(_TRIES_MAX):
        port = _chance.randrange(first, max(end, first + _FEWEST))
        if _keep(port):
            return port
    raise ServerError(f"no free port was found on 127.0.0.1 from {first} to {end}")


def _ephemeral_first() -> int:
    try:
        return int(_EPHEMERAL.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_FIRST


def _keep(port: int) -> bool:
    """Keep others off by a name that goes with this process, an abstract socket's; see that it is free."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name.bind(f"\0exchange-port-{port}")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return False
    _kept.append(name)
    if len(_kept) > _KEPT_MAX:
        _kept.popleft().close()
    return True


@atexit.register
def _let_go() -> None:
    while _kept:
        _kept.popleft().close()
