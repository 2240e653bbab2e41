"""Ports for servers: below the kernel's ephemeral range, and never the same for two at once."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.servers import ServerError, free_port, ports

ROOT = Path(__file__).parents[2]
CHOOSER = "import sys; from local.servers import free_port\nprint(free_port(), flush=True); sys.stdin.read()"


def test_no_outgoing_connection_can_take_a_chosen_port() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1_024 <= free_port() < first for _ in range(50))


def test_two_processes_never_choose_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", CHOOSER]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        taken = int(other.stdout.readline())
        monkeypatch.setattr(ports, "_TRIES_MAX", 3)
        monkeypatch.setattr(ports._chance, "randrange", lambda *_: taken)
        with pytest.raises(ServerError, match="no free port"):
            free_port()
        other.communicate("")
    assert free_port() == taken, "its owner is gone"


def test_a_port_on_which_somebody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        taken = server.getsockname()[1]
        picks = iter([taken, taken, taken + 1, taken + 2, taken + 3])
        monkeypatch.setattr(ports._chance, "randrange", lambda *_: next(picks))
        assert free_port() > taken
