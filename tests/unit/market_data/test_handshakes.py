"""Thousands who connect at once, as after a restart, leave the process its turns: addresses go one by one."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from exchange.http.fair_turns import BEGUN_PER_ROUND
from services.market_data.streams.hub import Hub
from services.market_data.streams.sockets import StreamSockets

CROWD = 20 * BEGUN_PER_ROUND
DEADLINE_S = 60.0


class _Places:
    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        yield


class Handshakes:
    """Connections that only shake hands; `accepted`: the addresses, in order."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.sockets = StreamSockets(self.hub, cast(Any, None), cast(Any, _Places()), rate_limits=True)
        self.accepted: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def connect(self, address: str) -> None:
        messages = [{"type": "websocket.connect"}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            assert message["type"] == "websocket.accept"
            self.accepted.append(address)

        scope = {"type": "websocket", "path": "/ws/btcusdt@trade", "client": (address, 1)}
        self.tasks.append(asyncio.create_task(self.sockets(scope, receive, send)))

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_round_of_the_loop_opens_a_bounded_number() -> None:
    crowd, opened = Handshakes(), Counter[int]()
    for number in range(CROWD):
        crowd.connect(f"198.51.{number % 5}.1")
    rounds = 0
    async with asyncio.timeout(DEADLINE_S):
        while len(crowd.accepted) < CROWD:
            before, rounds = len(crowd.accepted), rounds + 1
            await asyncio.sleep(0)
            opened[rounds] = len(crowd.accepted) - before
    await crowd.end()
    assert max(opened.values()) <= BEGUN_PER_ROUND
    assert not crowd.hub.clients


async def test_an_honest_client_does_not_wait_for_all_of_a_crowd() -> None:
    crowd = Handshakes()
    for _ in range(CROWD):
        crowd.connect("198.51.100.1")
    crowd.connect("203.0.113.9")
    async with asyncio.timeout(DEADLINE_S):
        while "203.0.113.9" not in crowd.accepted:
            await asyncio.sleep(0)
    assert len(crowd.accepted) <= 3 * BEGUN_PER_ROUND
    await crowd.end()
