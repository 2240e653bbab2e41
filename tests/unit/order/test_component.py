"""The service as a component: readiness, and what a failing log does."""

import asyncio
from functools import partial
from typing import Any

import pytest

from exchange.ports.world import Headers, LogError
from services.order import component
from services.order.component import OrderService
from tests.at_work import eventually
from tests.conformance import covers
from tests.unit.order.order_exchange import (
    ALICE,
    EmptyDatabase,
    OrderExchange,
    limit_order,
    running_exchange,
)
from tests.unit.order.ws_client import connected


async def test_running_service_is_ready(exchange: OrderExchange) -> None:
    assert set(exchange.service.readiness()) == {"log", "database", "cache"}
    answer = await exchange.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    metrics = (await exchange.client.get("/metrics")).text
    assert "exchange_order_request_seconds" in metrics


@covers("-1001")
async def test_service_that_has_not_started_refuses_orders_and_is_not_ready(exchange: OrderExchange) -> None:
    fresh = OrderService(exchange.resources, exchange.credentials)
    assert fresh.readiness()["log"] == "not started"
    exchange.service.engine._gateway = None
    answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    assert (answer.status_code, answer.json()["code"]) == (503, -1001)


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("GET", "/account", {}),
        ("GET", "/openOrders", {"symbol": "BTCUSDT"}),
        ("GET", "/order", {"symbol": "BTCUSDT", "orderId": 1}),
        ("POST", "/order/test", limit_order("BUY", "50000", "1")),
        ("DELETE", "/order", {"symbol": "BTCUSDT", "orderId": 1}),
    ],
)
async def test_what_is_not_loaded_yet_is_not_called_missing(
    method: str, path: str, names: dict[str, object]
) -> None:
    """A client that asks too early must not learn that a market or an order does not exist."""
    exchange = OrderExchange()
    answer = await exchange.request(method, path, ALICE, **names)
    assert (answer.status_code, answer.json()["code"]) == (503, -1001)
    async with connected(exchange) as socket:
        assert "serverTime" in (await socket.ask("time"))["result"]
        refusal = await socket.ask_signed("openOrders.status", ALICE, symbol="BTCUSDT")
        assert (refusal["status"], refusal["error"]["code"]) == (503, -1001)
    await exchange.client.aclose()


async def test_failed_append_leaves_the_outcome_unknown_and_ends_the_service() -> None:
    class BrokenWriter:
        async def append(self, value: bytes, headers: Headers = ()) -> int:
            raise LogError("the broker is away")

        async def close(self) -> None:
            return None

    exchange = OrderExchange()
    await (await exchange.event_log.writer()).append(exchange.stream.take_record())
    await exchange.service.start()
    exchange.service.engine.gateway._writer = BrokenWriter()
    running = asyncio.create_task(exchange.service.run())
    first = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    assert (first.status_code, first.json()["code"]) == (504, -1007)
    with pytest.raises(ExceptionGroup):
        await running
    second = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    assert (second.status_code, second.json()["code"]) == (503, -1001)
    assert "cannot be sent" in str(exchange.service.readiness()["log"])
    await exchange.client.aclose()


async def test_service_waits_for_a_log_that_is_away_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a broker's fall both come up together: whoever gave up would lose seconds to a new start."""
    monkeypatch.setattr(component, "START_PAUSE_S", 0.0)
    exchange = OrderExchange()
    await (await exchange.event_log.writer()).append(exchange.stream.take_record())
    there: dict[str, Any] = {"reader": exchange.event_log.reader, "writer": exchange.command_log.writer}
    failures = {"reader": 2, "writer": 1}

    async def fail_at_first(part: str, *arguments: int) -> object:
        if failures[part]:
            failures[part] -= 1
            raise LogError("the broker is not there")
        return await there[part](*arguments)

    monkeypatch.setattr(exchange.event_log, "reader", partial(fail_at_first, "reader"))
    monkeypatch.setattr(exchange.command_log, "writer", partial(fail_at_first, "writer"))
    await exchange.service.start()
    assert failures == {"reader": 0, "writer": 0}
    assert exchange.service.engine.is_started
    await exchange.client.aclose()
    await exchange.service.stop()


@covers("-1000")
async def test_unexpected_fault_is_answered_and_logged_without_details(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(exchange.service.engine.view, "open_orders", fail)
    answer = await exchange.request("GET", "/openOrders", ALICE)
    assert answer.status_code == 500
    assert answer.json() == {"code": -1000, "msg": "An unknown error occurred while processing the request."}


async def test_an_order_under_way_when_the_service_is_told_to_stop_is_answered(
    exchange: OrderExchange,
) -> None:
    """The port answers open requests for some seconds more; they need the logs for it."""
    running = next(task for task in asyncio.all_tasks() if task.get_name() == "order service")
    exchange.permits = asyncio.Semaphore(0)
    asking = asyncio.create_task(exchange.request("POST", "/order", ALICE, **limit_order("BUY", "100", "1")))
    gateway = exchange.service.engine.gateway
    await eventually(lambda: gateway.waiting == 1)
    running.cancel()
    await asyncio.sleep(0)
    exchange.permits.release()
    assert (await asking).json()["status"] == "NEW"
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.mark.parametrize("by", ["orderId", "origClientOrderId"])
async def test_an_order_that_neither_the_view_nor_the_ledger_has_yet_is_not_denied(
    monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Whoever was told that it does not exist would place it again."""
    database = EmptyDatabase(ledger_seq=0)
    async with running_exchange(database) as exchange:
        monkeypatch.setattr(exchange.service.engine.view, "_closed_orders_max", 0)
        order = limit_order("BUY", "100", "1", timeInForce="IOC", newClientOrderId="gone")
        placed = (await exchange.request("POST", "/order", ALICE, **order)).json()
        names = {"orderId": placed["orderId"], "origClientOrderId": "gone"}
        question = {"symbol": "BTCUSDT", by: names[by]}
        answer = await exchange.request("GET", "/order", ALICE, **question)
        assert (answer.status_code, answer.json()["code"]) == (503, -1001)
        database.ledger_seq = exchange.service.engine.view.seq
        answer = await exchange.request("GET", "/order", ALICE, **question)
        assert (answer.status_code, answer.json()["code"]) == (400, -2013)
