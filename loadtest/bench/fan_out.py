"""What a message costs that goes to many sockets: `python -m loadtest.bench.fan_out --sockets 500,1000`.

The service's own sockets, hub and server in one process, clients that only count bytes in another; ten
messages of 390 bytes a second to everybody, as `depth@100ms` of a busy market. Processor time of the server's
process. `--beside CHECKOUT` measures another commit's too, in turns: this file runs on either.
"""

import argparse
import asyncio
import contextlib
import inspect
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import uvloop

HERE = Path(__file__).resolve().parents[2]
STREAM = "btcusdt@depth@100ms"
MESSAGE = b'{"e":"depthUpdate","b":"' + b"x" * 364 + b'"}'
PER_SECOND = 10
SET_UP_DEADLINE_S = 60.0
TURN_DEADLINE_S = 180.0


def main() -> None:
    """Measure, and print one line a turn."""
    parser = argparse.ArgumentParser(prog="loadtest.bench.fan_out", description=__doc__)
    parser.add_argument("--sockets", default="500,1000")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--beside", type=Path, help="a folder with another commit")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        _raise_descriptor_limit()
        if options.role == "server":
            uvloop.run(_serve(options))
        else:
            asyncio.run(_listen(options))
        return
    folders = {"here": HERE} | ({"there": options.beside.resolve()} if options.beside else {})
    found = []
    for turn in range(options.turns):
        for count in options.sockets.split(","):
            for side in sorted(folders, reverse=bool(turn % 2)):
                row = {"side": side, **_turn(folders[side], count, options.seconds)}
                print(json.dumps(row), flush=True)
                found.append(row)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _turn(folder: Path, sockets: str, seconds: float) -> dict[str, float]:
    """One server and its clients. Raises AssertionError when a message was lost."""
    arguments = ["--sockets", sockets, "--seconds", str(seconds)]
    server = _child(folder, ["--role", "server", *arguments])
    assert server.stdout is not None, "it is a pipe"
    port = server.stdout.readline().decode().strip()
    clients = _child(HERE, ["--role", "clients", "--port", port, *arguments])
    told, _ = server.communicate(timeout=TURN_DEADLINE_S)
    received, _ = clients.communicate(timeout=TURN_DEADLINE_S)
    figures: dict[str, float] = json.loads(told.splitlines()[-1])
    assert int(received) == figures["messages"], "every message came"
    return figures


def _child(folder: Path, arguments: list[str]) -> "subprocess.Popen[bytes]":
    # The folder of this file is no part of the path: there is another checkout's package in it.
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _FreePlaces:
    """All sockets here are of one address."""

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[None]:
        yield


async def _serve(options: argparse.Namespace) -> None:
    from exchange.http.server import HttpServer, bind
    from services.market_data.streams.hub import Hub
    from services.market_data.streams.sockets import StreamSockets

    hub, count, make = Hub(), int(options.sockets), cast(Any, StreamSockets)
    # Older ones know no limits, and nobody asks for a user's stream here.
    limits = [_FreePlaces()] if "limits" in inspect.signature(make).parameters else []
    listener = bind("127.0.0.1", 0)
    server = HttpServer(make(hub, None, *limits, rate_limits=False), listener)
    running = asyncio.create_task(server.run())
    print(listener.getsockname()[1], flush=True)
    give_up_s = time.monotonic() + SET_UP_DEADLINE_S
    while len(hub.clients) < count:
        assert time.monotonic() < give_up_s, f"{len(hub.clients)} of {count} sockets are open"
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    times = int(options.seconds * PER_SECOND)
    began_s, cpu_s = time.monotonic(), _cpu_s()
    for number in range(times):
        hub.publish(STREAM, lambda scale: MESSAGE)
        await asyncio.sleep(max(0.0, began_s + (number + 1) / PER_SECOND - time.monotonic()))
    used_s, messages = _cpu_s() - cpu_s, times * count
    figures = {
        "sockets": count,
        "messages": messages,
        "us_per_message": used_s / messages * 1e6,
        "us_per_update": used_s / times * 1e6,
        "messages_per_cpu_s": messages / used_s,
    }
    print(json.dumps(figures), flush=True)
    await asyncio.sleep(1.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Listener(asyncio.Protocol):
    """Asks for the stream, and counts what comes behind the answer's head."""

    def __init__(self) -> None:
        self.size_bytes = -1
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a connection of TCP"
        transport.write(
            f"GET /ws/{STREAM} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.size_bytes >= 0:
            self.size_bytes += len(data)
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            assert self._head.startswith(b"HTTP/1.1 101"), self._head[:200]
            self.size_bytes = len(self._head.partition(b"\r\n\r\n")[2])


async def _listen(options: argparse.Namespace) -> None:
    loop, listeners = asyncio.get_running_loop(), []
    for _ in range(int(options.sockets)):
        _, listener = await loop.create_connection(_Listener, "127.0.0.1", options.port)
        listeners.append(listener)
    expected = int(options.seconds * PER_SECOND) * (len(MESSAGE) + 4)
    give_up_s = time.monotonic() + SET_UP_DEADLINE_S + options.seconds
    # Thousands of connections, of which the last one is waited for.
    while any(listener.size_bytes < expected for listener in listeners) and time.monotonic() < give_up_s:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    # What the server says when it closes is no message.
    print(sum(min(listener.size_bytes, expected) for listener in listeners) // (len(MESSAGE) + 4))


if __name__ == "__main__":
    main()
