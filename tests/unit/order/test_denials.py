"""What is denied is really not there: two order services over one exchange, one of them behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import CreditDeposit
from exchange.log import barrier
from exchange.ports.world import Headers, Log, LogError, LogReader, LogRecord, LogWriter
from services.order.component import OrderService
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order, running_exchange
from tests.unit.order.ws_client import connected

UNAVAILABLE = (503, -1001)
MISSING = (400, -2013)


class HeldLog:
    """A log whose readers get nothing while `is_held`: a reader that is behind."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.released = asyncio.Event()
        self.released.set()
        self.probes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        return _HeldReader(self, await self._log.reader(offset, gather_ms))


class _HeldReader:
    def __init__(self, log: HeldLog, reader: LogReader) -> None:
        self._log = log
        self._reader = reader

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        records = await self._reader.read(timeout_ms)
        await self._log.released.wait()
        return records

    async def close(self) -> None:
        await self._reader.close()


class Replica:
    """A second order service of an exchange: it answers as the first, from a view of its own."""

    def __init__(self, exchange: OrderExchange) -> None:
        self.log = HeldLog(exchange.event_log)
        resources = replace(exchange.resources, event_log=self.log)
        self.service = OrderService(resources, exchange.credentials)
        self.door = OrderExchange.beside(exchange, self.service)

    def hold(self) -> None:
        """From now on it learns nothing new."""
        self.log.released.clear()


@contextlib.asynccontextmanager
async def replica_of(exchange: OrderExchange) -> AsyncIterator[Replica]:
    replica = Replica(exchange)
    await replica.service.start()
    running = asyncio.create_task(replica.service.run())
    try:
        yield replica
    finally:
        replica.log.released.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await replica.service.stop()
        await replica.door.client.aclose()


async def place(exchange: OrderExchange, name: str, **more: object) -> int:
    order = limit_order("BUY", "100", "1", newClientOrderId=name, **more)
    answer = await exchange.request("POST", "/order", ALICE, **order)
    assert answer.status_code == 200
    return int(answer.json()["orderId"])


@pytest.mark.parametrize("by", ["orderId", "origClientOrderId"])
async def test_a_replica_that_is_behind_waits_instead_of_denying(exchange: OrderExchange, by: str) -> None:
    """A13: POST answered by one process, GET by another a moment later."""
    async with replica_of(exchange) as replica:
        replica.hold()
        order_id = await place(exchange, "mine")
        question = {"symbol": "BTCUSDT", by: {"orderId": order_id, "origClientOrderId": "mine"}[by]}
        asking = asyncio.create_task(replica.door.request("GET", "/order", ALICE, **question))
        listing = asyncio.create_task(replica.door.request("GET", "/openOrders", ALICE, symbol="BTCUSDT"))
        await asyncio.sleep(0.02)
        assert not asking.done()
        assert not listing.done()
        replica.log.released.set()
        answer = await asking
        assert (answer.status_code, answer.json().get("orderId")) == (200, order_id)
        assert [order["orderId"] for order in (await listing).json()] == [order_id]


async def test_a_replica_that_stays_behind_says_that_it_does_not_know(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica_of(exchange) as replica:
        replica.hold()
        await place(exchange, "mine")
        for module in (barrier, "services.order.decisions.engine_link"):
            monkeypatch.setattr(f"{getattr(module, '__name__', module)}.WAIT_MAX_S", 0.05)
        named = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        for path, question in (
            ("/order", named),
            ("/openOrders", {}),
            ("/allOrders", {"symbol": "BTCUSDT"}),
            ("/myTrades", {"symbol": "BTCUSDT"}),
        ):
            answer = await replica.door.request("GET", path, ALICE, **question)
            assert (answer.status_code, answer.json().get("code")) == UNAVAILABLE, path
        async with connected(replica.door) as socket:
            refusal = await socket.ask_signed("order.status", ALICE, **named)
            assert (refusal["status"], refusal["error"]["code"]) == UNAVAILABLE
            refusal = await socket.ask_signed("openOrders.status", ALICE)
            assert (refusal["status"], refusal["error"]["code"]) == UNAVAILABLE


async def test_what_is_not_there_is_denied_once_the_engine_has_decided_everything(
    exchange: OrderExchange,
) -> None:
    await place(exchange, "mine")
    question = {"symbol": "BTCUSDT", "origClientOrderId": "other"}
    answer = await exchange.request("GET", "/order", ALICE, **question)
    assert (answer.status_code, answer.json()["code"]) == MISSING


async def test_nothing_is_denied_while_a_command_waits_for_the_engine(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario a of finding 2: the engine stands; the order may be placed as soon as it goes on."""
    exchange.permits = asyncio.Semaphore(0)
    placing = asyncio.create_task(place(exchange, "mine"))
    question = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    while not exchange.service.engine.gateway.waiting:
        await asyncio.sleep(0)
    monkeypatch.setattr(barrier, "WAIT_MAX_S", 0.05)
    answer = await exchange.request("GET", "/order", ALICE, **question)
    assert (answer.status_code, answer.json()["code"]) == UNAVAILABLE
    exchange.permits.release()
    assert (await exchange.request("GET", "/order", ALICE, **question)).json()["orderId"] == await placing


async def test_nothing_is_denied_that_this_process_has_not_sent_yet(exchange: OrderExchange) -> None:
    """A command in the gateway is in no log: where the log ends says nothing about it."""
    gate = asyncio.Event()
    gateway = exchange.service.engine.gateway
    gateway._writer = _GatedWriter(gateway._writer, gate)
    placing = asyncio.create_task(place(exchange, "mine"))
    while not gateway.waiting:
        await asyncio.sleep(0)
    question = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    asking = asyncio.create_task(exchange.request("GET", "/order", ALICE, **question))
    await asyncio.sleep(0.02)
    assert not asking.done()
    gate.set()
    assert (await asking).json()["orderId"] == await placing


class _GatedWriter:
    def __init__(self, writer: LogWriter, gate: asyncio.Event) -> None:
        self._writer = writer
        self._gate = gate

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        await self._gate.wait()
        return await self._writer.append(value, headers)

    async def close(self) -> None:
        await self._writer.close()


async def test_the_newest_order_of_a_name_is_not_hidden_by_an_older_one(exchange: OrderExchange) -> None:
    async with replica_of(exchange) as replica:
        await place(exchange, "again", timeInForce="IOC")
        question = {"symbol": "BTCUSDT", "origClientOrderId": "again"}
        first = (await replica.door.request("GET", "/order", ALICE, **question)).json()
        assert first["status"] == "EXPIRED"
        replica.hold()
        second = await place(exchange, "again")
        asking = asyncio.create_task(replica.door.request("GET", "/order", ALICE, **question))
        await asyncio.sleep(0.02)
        replica.log.released.set()
        assert (await asking).json()["orderId"] == second


async def test_a_record_is_passed_only_with_its_last_command(exchange: OrderExchange) -> None:
    """Outcomes of one record may come in several: half of them do not let a question through."""
    exchange.permits = asyncio.Semaphore(0)
    deposits = [CreditDeposit(7_000 + n, BOB, 1, 1, 7_000 + n) for n in range(2)]
    await (await exchange.command_log.writer()).append(encode_commands(deposits))
    asking = asyncio.create_task(exchange.service.engine.can_deny())
    exchange.permits.release()
    while exchange.service.engine.view.last_seq_of.get(BOB) != exchange.service.engine.view.seq:
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    assert not asking.done()
    exchange.permits.release()
    assert await asking


async def test_one_question_to_the_log_serves_all_that_wait(exchange: OrderExchange) -> None:
    await place(exchange, "mine")
    log = exchange.command_log
    ends, probe = 0, await log.probe()

    class Counting:
        async def end_offset(self) -> int:
            nonlocal ends
            ends += 1
            await asyncio.sleep(0.01)
            return await probe.end_offset()

        async def record(self, offset: int) -> LogRecord:
            return await probe.record(offset)

        async def close(self) -> None:
            return None

    exchange.service._barrier._probe = Counting()
    assert all(await asyncio.gather(*(exchange.service.engine.can_deny() for _ in range(100))))
    assert ends == 1
    late = [asyncio.create_task(exchange.service.engine.can_deny())]
    await asyncio.sleep(0.005)
    # The question is under way: its answer may be older than this one's question.
    late += [asyncio.create_task(exchange.service.engine.can_deny()) for _ in range(100)]
    assert all(await asyncio.gather(*late))
    assert ends == 3


async def test_a_log_that_does_not_answer_leaves_it_unknown_and_is_asked_anew(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = exchange.command_log.probe
    failures = [LogError("the broker is away")]

    async def failing() -> Any:
        if failures:
            raise failures.pop()
        return await probe()

    monkeypatch.setattr(exchange.command_log, "probe", failing)
    answer = await exchange.request("GET", "/openOrders", ALICE)
    assert (answer.status_code, answer.json()["code"]) == UNAVAILABLE
    assert (await exchange.request("GET", "/openOrders", ALICE)).json() == []


async def test_more_askers_than_the_barrier_keeps_are_told_that_nothing_is_known(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "ASKERS_MAX", 0)
    assert not await exchange.service.engine.can_deny()


async def test_a_service_knows_at_its_start_what_has_been_decided() -> None:
    """Its view comes from the ledger: it may have read no event, and must still be able to deny."""
    async with running_exchange() as exchange:
        await place(exchange, "mine")
        async with replica_of(exchange) as replica:
            assert await replica.service.engine.can_deny()
