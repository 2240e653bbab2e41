"""Orders count when they are sent, by every door: in flight, from closed sockets, beside failed cancels."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from exchange.contracts.codes import GTC, LIMIT, SELL, STP_NONE
from exchange.contracts.commands import PlaceOrder
from exchange.http.request_limits import ORDERS_10S
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order, running_exchange
from tests.unit.order.ws_client import connected, signed

IN_FLIGHT = 2_000
IN_ONE_SOCKET = 64
INVENTED_ID = 987_654_321
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends while a test fills it."""
    frozen_ms = time.time_ns() // 600_000_000_000 * 600_000 + 300_000
    monkeypatch.setattr("services.order.component.clock_ms", lambda: frozen_ms)


@pytest.fixture
async def exchange() -> AsyncIterator[OrderExchange]:
    # Admission control's clock stands still: how fast this machine is decides nothing.
    async with running_exchange(request_limits=True, monotonic_s=lambda: 0.0) as exchange:
        yield exchange


async def placed(exchange: OrderExchange, **parameters: object) -> int:
    """Send an order and return the answer's status."""
    answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1", **parameters))
    return answer.status_code


async def count(exchange: OrderExchange) -> list[int]:
    """What the account has used, as it is told: in ten seconds, in a day."""
    rows = (await exchange.request("GET", "/rateLimit/order", ALICE)).json()
    return [row["count"] for row in rows]


async def until_sent(exchange: OrderExchange, commands: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while exchange.service.engine.gateway.waiting < commands:
            await asyncio.sleep(0.001)


async def show_the_engine_s_pace(exchange: OrderExchange) -> None:
    """Admission control begins with 64 commands in flight, and learns from what is decided."""
    cancel = {"symbol": "BTCUSDT", "orderId": INVENTED_ID}
    gateway = exchange.service.engine.gateway
    sent = 64
    while sent <= IN_FLIGHT:
        answers = await asyncio.gather(
            *(exchange.request("DELETE", "/order", ALICE, **cancel) for _ in range(sent))
        )
        assert {answer.json()["code"] for answer in answers} == {-2011}
        sent *= 2
    gateway.admit()
    exchange.commands.clear()


async def test_what_is_in_flight_counts(exchange: OrderExchange) -> None:
    await show_the_engine_s_pace(exchange)
    exchange.permits = asyncio.Semaphore(0)
    orders = [asyncio.create_task(placed(exchange)) for _ in range(IN_FLIGHT)]
    await asyncio.wait(orders, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    for _ in orders:
        exchange.permits.release()
    answers = Counter(await asyncio.gather(*orders))
    assert answers[429] >= IN_FLIGHT - ORDERS_10S.most
    assert len(exchange.commands) <= ORDERS_10S.most
    assert await count(exchange) == [len(exchange.commands)] * 2


async def test_orders_of_a_socket_that_closes_early_count(exchange: OrderExchange) -> None:
    exchange.permits = asyncio.Semaphore(0)
    async with connected(exchange) as socket:
        for _ in range(IN_ONE_SOCKET):
            socket.start("order.place", **signed(ALICE, limit_order("BUY", "50000", "1")))
        await until_sent(exchange, IN_ONE_SOCKET)
    for _ in range(IN_ONE_SOCKET):
        exchange.permits.release()
    async with asyncio.timeout(WAIT_S):
        while len(exchange.commands) < IN_ONE_SOCKET:
            await asyncio.sleep(0.001)
    assert await count(exchange) == [IN_ONE_SOCKET] * 2


async def test_an_order_that_replaces_an_invented_one_counts(exchange: OrderExchange) -> None:
    replacement = limit_order("BUY", "50000", "0.001", cancelReplaceMode="ALLOW_FAILURE")
    for sent in range(1, 4):
        answer = await exchange.request(
            "POST", "/order/cancelReplace", ALICE, **replacement, cancelOrderId=INVENTED_ID
        )
        assert (answer.status_code, answer.json()["data"]["newOrderResult"]) == (409, "SUCCESS")
        assert answer.headers["x-mbx-order-count-10s"] == str(sent)
    async with connected(exchange) as socket:
        reply = await socket.ask_signed(
            "order.cancelReplace", ALICE, **replacement, cancelOrderId=INVENTED_ID
        )
    assert reply["status"] == 409
    assert [row["count"] for row in reply["rateLimits"][:2]] == [4, 4]
    assert await count(exchange) == [4, 4]


async def test_a_replacement_that_is_not_attempted_counts(exchange: OrderExchange) -> None:
    answer = await exchange.request(
        "POST", "/order/cancelReplace", ALICE, cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=INVENTED_ID, **limit_order("BUY", "50000", "0.001"),
    )  # fmt: skip
    assert answer.json()["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    assert await count(exchange) == [1, 1]


async def test_what_the_engine_refuses_counts(exchange: OrderExchange) -> None:
    too_dear = limit_order("BUY", "50000", "21")
    answer = await exchange.request("POST", "/order", ALICE, **too_dear)
    assert answer.json()["code"] == -2010
    async with connected(exchange) as socket:
        assert (await socket.ask_signed("order.place", ALICE, **too_dear))["error"]["code"] == -2010
    assert await count(exchange) == [2, 2]


async def test_what_is_refused_before_it_is_sent_does_not_count(exchange: OrderExchange) -> None:
    unreadable = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "x", "1"))
    assert unreadable.status_code == 400
    assert (
        await exchange.request("POST", "/order/test", ALICE, **limit_order("BUY", "50000", "1"))
    ).json() == {}
    assert await count(exchange) == [0, 0]


async def test_a_place_comes_back_when_nothing_was_sent() -> None:
    async with running_exchange(request_limits=True, commands_waiting_max=0) as exchange:
        assert await placed(exchange) == 503
        async with connected(exchange) as socket:
            reply = await socket.ask_signed("order.place", ALICE, **limit_order("BUY", "50000", "1"))
            assert reply["error"]["code"] == -1008
        replaced = await exchange.request(
            "POST", "/order/cancelReplace", ALICE, cancelReplaceMode="ALLOW_FAILURE",
            cancelOrderId=INVENTED_ID, **limit_order("BUY", "50000", "1"),
        )  # fmt: skip
        assert replaced.json()["code"] == -1008
        assert await count(exchange) == [0, 0]


async def test_headers_show_the_order_that_they_answer(exchange: OrderExchange) -> None:
    for number in (1, 2):
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
        names = ("x-mbx-order-count-10s", "x-mbx-order-count-1d")
        assert [answer.headers[name] for name in names] == [str(number)] * 2
    tested = await exchange.request("POST", "/order/test", ALICE, **limit_order("BUY", "50000", "1"))
    assert "x-mbx-order-count-10s" not in tested.headers


@covers("GET /rateLimit/order", "-1015")
@pytest.mark.parametrize(("is_taker", "left"), [(True, 6), (False, 2)])
async def test_the_first_fill_of_an_order_gives_places_back(
    exchange: OrderExchange, is_taker: bool, left: int
) -> None:
    """binance-spot-api 1: minus one as taker, minus five as maker; not for the fills after it."""
    for _ in range(6):
        assert await placed(exchange) == 200
    await exchange.request("DELETE", "/openOrders", ALICE, symbol="BTCUSDT")
    assert await count(exchange) == [6, 6], "a cancellation gives nothing back"
    if is_taker:
        await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "1"))
        assert await placed(exchange) == 200
    else:
        assert await placed(exchange) == 200
        for _ in range(2):
            await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "0.1"))
    assert await count(exchange) == [left, left]


async def test_a_bot_whose_orders_are_filled_is_never_stopped(exchange: OrderExchange) -> None:
    """150 filled orders in ten seconds, where 100 unfilled ones are the limit; nobody gets credit."""
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "5"))
    taking = limit_order("BUY", "50000", "0.001", timeInForce="IOC")
    for _ in range(ORDERS_10S.most + 50):
        answer = await exchange.request("POST", "/order", ALICE, **taking)
        assert (answer.status_code, answer.json()["status"]) == (200, "FILLED")
        assert answer.headers["x-mbx-order-count-10s"] == "0"
    assert await count(exchange) == [0, 0]


async def test_the_count_of_another_process_is_not_given_back_twice(exchange: OrderExchange) -> None:
    """An order that this process has not sent gives nothing back here: the one that sent it does."""
    assert await placed(exchange) == 200
    exchange.stream.apply(
        PlaceOrder(7, BOB, 1, "elsewhere", SELL, LIMIT, GTC, 5_000_000, 1_000, 0, STP_NONE, 0)
    )
    await exchange.publish()
    assert await count(exchange) == [0, 0], "the maker's own"
    assert exchange.service._unfilled._owner_of == {}
