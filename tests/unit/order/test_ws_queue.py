"""A socket's queue: bounded by bytes and age, and never by what one outcome brings at once."""

import asyncio
from typing import Any, cast

import pytest
from starlette.websockets import WebSocketState

from exchange.contracts import limits
from exchange.http.fair_turns import FairTurns, call_in_next_round
from services.order.doors import ws_connection
from services.order.doors.ws_connection import Connection


class Peer:
    """A client that never says anything, and reads what it is sent when `reads` is set."""

    client = None
    client_state = application_state = WebSocketState.DISCONNECTED

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.got = 0

    async def receive(self) -> Any:
        await asyncio.get_running_loop().create_future()

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.got += 1


async def serving(connection: Connection) -> "asyncio.Task[None]":
    async def nothing(text: str) -> None:
        raise AssertionError(text)

    task = asyncio.create_task(connection.serve(nothing))
    await asyncio.sleep(0)
    return task


async def test_the_reports_of_the_largest_outcome_come_at_once_and_whole() -> None:
    peer = Peer()
    connection = Connection(cast(Any, peer), 1_000, FairTurns(call_in_next_round))
    task = await serving(connection)
    # All in one step, as one outcome is delivered: no reader could have helped.
    for _ in range(limits.REPORTS_PER_OUTCOME_MAX):
        connection.send(b"r" * limits.REPORT_SIZE_BYTES_MAX)
    connection.send(b"a" * limits.ANSWER_SIZE_BYTES_MAX)
    peer.reads.set()
    async with asyncio.timeout(30):
        while peer.got <= limits.REPORTS_PER_OUTCOME_MAX:
            await asyncio.sleep(0)
    assert not task.done(), "and the socket stays"
    connection.end(ws_connection.NORMAL)
    await task


async def test_too_many_bytes_end_it() -> None:
    connection = Connection(cast(Any, Peer()), 1_000, FairTurns(call_in_next_round))
    task = await serving(connection)
    for _ in range(limits.SOCKET_QUEUE_SIZE_BYTES_MAX // 1024**2 + 1):
        connection.send(b"x" * 1024 * 1024)
    await asyncio.wait_for(task, 30)
    assert connection._close_code == ws_connection.POLICY


async def test_what_waits_too_long_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(cast(Any, Peer()), 1_000, FairTurns(call_in_next_round))
    now_s = 1_000.0
    monkeypatch.setattr("services.order.doors.ws_connection.time.monotonic", lambda: now_s)
    # Not served: nothing is taken out of the queue.
    connection.send(b"first")
    now_s += limits.SOCKET_QUEUE_AGE_S_MAX
    connection.send(b"second")
    assert not connection._cut.is_set()
    now_s += 1
    connection.send(b"third")
    assert connection._cut.is_set()
    assert connection._close_code == ws_connection.POLICY
