"""Whose request begins next: in the plain, and on real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from exchange.http.fair_turns import BEGUN_PER_ROUND, FairTurns
from exchange.http.server import HttpServer, bind

DEADLINE_S = 60.0
CROWD = 400
CROWD_ADDRESS, HONEST_ADDRESS = "127.9.0.1", "127.9.0.2"


class Rounds:
    """An event loop whose rounds are asked for by hand."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.begun: list[str] = []
        self.turns = FairTurns(self.due.append)

    def begin(self, address: str, count: int = 1) -> None:
        for number in range(count):
            self.turns.begin(address, lambda name=f"{address}{number}": self.begun.append(name))  # type: ignore[misc]

    def next(self) -> list[str]:
        """What the next round begins."""
        before = len(self.begun)
        due, self.due[:] = list(self.due), []
        for callback in due:
            callback()
        return self.begun[before:]


def test_nobody_waits_where_there_is_room() -> None:
    rounds = Rounds()
    rounds.begin("a", BEGUN_PER_ROUND)
    assert len(rounds.begun) == BEGUN_PER_ROUND
    assert rounds.next() == []
    rounds.begin("a")
    assert len(rounds.begun) == BEGUN_PER_ROUND + 1


def test_each_address_has_its_turn() -> None:
    rounds = Rounds()
    rounds.begin("a", 1_000)
    rounds.begin("b", 3)
    rounds.begin("c")
    first = rounds.next()
    assert len(first) == BEGUN_PER_ROUND
    assert first[:5] == ["a16", "b0", "c0", "a17", "b1"]
    assert "b2" in first


def test_each_begins_once_in_the_order_of_its_address_and_rounds_end() -> None:
    rounds = Rounds()
    rounds.begin("a", 200)
    rounds.begin("b", 100)
    while rounds.due:
        assert len(rounds.next()) <= BEGUN_PER_ROUND
    assert [name for name in rounds.begun if name[0] == "a"] == [f"a{n}" for n in range(200)]
    assert [name for name in rounds.begun if name[0] == "b"] == [f"b{n}" for n in range(100)]
    assert rounds.turns.waiting == 0


def test_who_comes_while_others_wait_does_not_overtake_them() -> None:
    rounds = Rounds()
    rounds.begin("a", 2 * BEGUN_PER_ROUND)
    rounds.begin("b")
    rounds.begin("c", 2)
    assert rounds.begun == [f"a{n}" for n in range(BEGUN_PER_ROUND)]
    assert rounds.next()[:4] == ["a16", "b0", "c0", "a17"]


class Door:
    """Notes from where each request that it answers has come."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def served(door: Door) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0)
    server = HttpServer(door, listener)
    running = asyncio.create_task(server.run())
    try:
        yield listener.getsockname()[1]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


async def test_honest_request_is_not_behind_a_crowd_of_one_address() -> None:
    door, loop = Door(), asyncio.get_running_loop()
    async with served(door) as port, asyncio.timeout(DEADLINE_S):
        sockets: list[socket.socket] = []
        for address in [CROWD_ADDRESS] * CROWD + [HONEST_ADDRESS]:
            client = socket.socket()
            client.setblocking(False)
            client.bind((address, 0))
            await loop.sock_connect(client, ("127.0.0.1", port))
            sockets.append(client)
        for client in sockets:  # so that each connection is taken, and idle
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await loop.sock_recv(client, 4_096)
        door.begun.clear()
        for client in sockets:  # all of them before the server looks once
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in sockets:
            assert await loop.sock_recv(client, 4_096)
            client.close()
    assert len(door.begun) == CROWD + 1
    assert door.begun.index(HONEST_ADDRESS) <= 2 * BEGUN_PER_ROUND
