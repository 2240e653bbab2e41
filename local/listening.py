"""The one port of a local exchange: taken before anything else is started, or refused with the way out."""

import contextlib
import errno
import os
import socket
from typing import Final

import psutil

from local.calling import COMMAND, again
from local.servers import ServerError

__all__ = ["HOST_DEFAULT", "PORT_DEFAULT", "check_port", "free_after", "take_port"]

HOST_DEFAULT: Final = "127.0.0.1"
_PORT_MAX: Final = 65_535
_PORTS_TRIED_MAX: Final = 100
PORT_DEFAULT: Final = 8_080


def take_port(host: str, port: int, command: str) -> socket.socket:
    """Listen on `host`:`port` for `command` (`make run`). Raises ServerError with who is in the way."""
    # It brings the whole server: a port that is taken is to be told before that (`check_port`).
    from exchange.http.server import bind

    try:
        return bind(host, port)
    except OSError as error:
        raise ServerError(_refused(host, port, command, error)) from None


def check_port(host: str, port: int, command: str) -> None:
    """Whether `take_port`, or a server that will listen itself, can have it. Raises as that."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As a server does: connections of an earlier one that are not quite over are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise ServerError(_refused(host, port, command, error)) from None


def _refused(host: str, port: int, command: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        way_out = again(command, port=free_after(port))
        return f"port {port} of {host} is taken by {_listener(port)}: end that, or choose another: {way_out}"
    if error.errno in (errno.EACCES, errno.EPERM):
        way_out = again(command, port=free_after(PORT_DEFAULT - 1))
        return f"port {port} is for root alone: choose one from 1024 on: {way_out}"
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"HOST={host} is no address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all it has"
        )
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"


def _listener(port: int) -> str:
    """Who listens there, in words; the processes of other users cannot be seen by all."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return _name(psutil.Process(connection.pid))
    return "a process that cannot be seen from here"


def _name(process: psutil.Process) -> str:
    command_line = process.cmdline()
    if command_line[1:3] == ["-m", "local"] or COMMAND in [os.path.basename(w) for w in command_line[:2]]:
        return f"another exchange (process {process.pid})"
    return f"{process.name()} (process {process.pid})"


def free_after(port: int) -> int:
    """The next port on which nobody listens just now, to be named as a way out."""
    for candidate in range(port + 1, min(port + _PORTS_TRIED_MAX, _PORT_MAX) + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST_DEFAULT, candidate))
            return candidate
    return PORT_DEFAULT
