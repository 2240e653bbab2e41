"""Far more requests than the engine can decide. Time is virtual: an engine's decision takes 10 ms of it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from exchange.process.components import HISTORY_LEAVES
from exchange.process.turns import WAITING_MAX
from tests.at_work import settle
from tests.unit.order.order_exchange import (
    ALICE,
    BOB,
    EmptyDatabase,
    OrderExchange,
    limit_order,
    running_exchange,
)

DECISION_S = 0.01
WAIT_MAX_S = 1.0
PER_DECISION = 10
OVERLOADED = {
    "code": -1008,
    "msg": "Server is currently overloaded with other requests. Please try again in a few minutes.",
}


class SlowEngine:
    """An exchange whose engine decides one command each `DECISION_S`, and clients that do not wait."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.exchange: OrderExchange
        self.answers: list[tuple[httpx.Response, float]] = []
        self.waiting_most = 0
        self._requests: set[asyncio.Task[None]] = set()

    async def turn(self, requests: int, method: str = "POST") -> None:
        """Some requests come, then the engine decides one command, if there is one."""
        await self.come(requests, method)
        await self.decide()

    async def come(self, requests: int, method: str = "POST") -> None:
        """Some requests come."""
        for _ in range(requests):
            task = asyncio.create_task(self._request(method))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
        await settle()

    async def decide(self) -> None:
        """The engine decides one command, if there is one."""
        gateway, permits = self.exchange.service.engine.gateway, self.exchange.permits
        assert permits is not None
        self.waiting_most = max(self.waiting_most, gateway.waiting)
        self.now_s += DECISION_S
        if gateway.waiting:
            decided = len(self.exchange.commands)
            permits.release()
            while len(self.exchange.commands) == decided:
                await asyncio.sleep(0)
            await settle()

    async def finish(self) -> None:
        """No more requests: the engine decides what it still has."""
        while self._requests:
            await self.turn(0)

    async def _request(self, method: str) -> None:
        came_s = self.now_s
        # Nobody sells: it ends at once, so that no limit on open orders is met.
        parameters = limit_order("BUY", "60000", "0.0001", timeInForce="IOC")
        if method == "DELETE":
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": "unknown"}
        answer = await self.exchange.request(method, "/order", ALICE, **parameters)
        self.answers.append((answer, self.now_s - came_s))

    def counts(self) -> Counter[int]:
        """Answers by status."""
        return Counter(answer.status_code for answer, _ in self.answers)


@contextlib.asynccontextmanager
async def slow_engine(**settings: Any) -> AsyncIterator[SlowEngine]:
    slow = SlowEngine()
    # The clock stands still while nobody turns it, so the real deadline is far away.
    async with running_exchange(monotonic_s=lambda: slow.now_s, **settings) as exchange:
        slow.exchange = exchange
        exchange.permits = asyncio.Semaphore(0)
        try:
            yield slow
        finally:
            exchange.permits = None


@pytest.mark.slow
async def test_overload_is_shed_and_what_is_accepted_is_answered_within_the_bound() -> None:
    async with slow_engine() as slow:
        for _ in range(300):
            await slow.turn(PER_DECISION)
        await slow.finish()
        assert set(slow.counts()) == {200, 503}
        shed = [answer for answer, _ in slow.answers if answer.status_code == 503]
        assert len(shed) > 2_500
        assert all(answer.json() == OVERLOADED and answer.headers["retry-after"] == "1" for answer in shed)
        assert all(took_s == 0 for answer, took_s in slow.answers if answer.status_code == 503)
        assert max(took_s for _, took_s in slow.answers) <= WAIT_MAX_S * 1.25
        # No more in memory than the bound lets wait; and the engine was kept busy all the time.
        assert slow.waiting_most <= WAIT_MAX_S / DECISION_S * 1.25
        assert slow.counts()[200] >= 300

        slow.answers.clear()
        for _ in range(50):
            await slow.turn(1)
        await slow.finish()
        assert slow.counts() == {200: 50}


async def test_shed_orders_are_counted() -> None:
    async with slow_engine() as slow:
        before = await shed_so_far(slow.exchange)
        for _ in range(50):
            await slow.turn(PER_DECISION)
        await slow.finish()
        assert await shed_so_far(slow.exchange) - before == slow.counts()[503] > 0


async def shed_so_far(exchange: OrderExchange) -> float:
    text = (await exchange.client.get("/metrics")).text
    name = 'exchange_commands_shed_total{kind="new",sender="order"} '
    return float(next(line for line in text.splitlines() if line.startswith(name)).removeprefix(name))


async def test_cancels_are_let_through_when_orders_are_not() -> None:
    async with slow_engine() as slow:
        for _ in range(100):
            await slow.turn(PER_DECISION)
        slow.answers.clear()
        # Unknown orders: the engine refuses them, so it has decided.
        await slow.turn(20, "DELETE")
        await slow.turn(20, "POST")
        await slow.finish()
        codes = Counter(answer.json().get("code") for answer, _ in slow.answers)
        assert codes[-2011] == 20
        assert codes[-1008] >= 19


async def test_refused_cancel_replace_leaves_the_old_order_alone() -> None:
    async with slow_engine() as slow:
        for _ in range(100):
            await slow.turn(PER_DECISION)
        await slow.come(PER_DECISION)
        sent = len(slow.exchange.command_log.records)
        answer = await slow.exchange.request(
            "POST",
            "/order/cancelReplace",
            BOB,
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrigClientOrderId="mine",
            **limit_order("BUY", "60000", "0.0001"),
        )
        assert (answer.status_code, answer.json()) == (503, OVERLOADED)
        assert len(slow.exchange.command_log.records) == sent
        await slow.finish()


async def test_last_places_are_kept_for_cancels() -> None:
    async with slow_engine(commands_waiting_max=40) as slow:
        await slow.turn(100)
        await slow.turn(20, "DELETE")
        assert slow.waiting_most == 40
        await slow.finish()
        # 30 orders; one of them was decided before the cancels came.
        assert slow.counts() == {200: 30, 400: 11, 503: 70 + 9}


class StuckDatabase(EmptyDatabase):
    """Answers nothing but the ledger's position until `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.positions_asked = 0
        self.released = asyncio.Event()
        self.is_stuck = False

    async def fetch(self, statement: str, *_: object, **__: object) -> list[object]:
        if "FROM positions" in statement:
            self.positions_asked += 1
            await asyncio.sleep(0.01)
        elif self.is_stuck:
            await self.released.wait()
        return await super().fetch(statement)


async def test_reads_that_only_would_wait_for_each_other_are_shed() -> None:
    database = StuckDatabase()
    async with running_exchange(database) as exchange:
        reads_max = exchange.settings.database_pool_size - HISTORY_LEAVES + WAITING_MAX
        database.is_stuck = True
        reads = [
            asyncio.create_task(exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT"))
            for _ in range(reads_max + 50)
        ]
        shed = 0
        while shed < 50:
            await asyncio.sleep(0)
            shed = sum(task.done() for task in reads)
        assert [task.result().json() for task in reads if task.done()] == [OVERLOADED] * 50
        database.released.set()
        answers = await asyncio.gather(*reads)
        assert Counter(answer.status_code for answer in answers)[503] == 50
        assert database.positions_asked == 1, "one question serves all that wait for the ledger"
