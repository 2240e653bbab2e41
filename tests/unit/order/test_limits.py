"""What REST and the WebSocket API answer to those who ask for too much, or whose key is gone."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from exchange.http.request_limits import ORDERS_10S, WEIGHT, RequestLimits
from services.order.component import OrderService
from services.order.doors import ws_api
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, KEYS, OrderExchange, limit_order, running_exchange
from tests.unit.order.ws_client import WsClient, connected

ADDRESS = "203.0.113.7"


@pytest.fixture
async def exchange() -> AsyncIterator[OrderExchange]:
    async with running_exchange(request_limits=True) as exchange:
        yield exchange


@pytest.fixture
async def socket(exchange: OrderExchange) -> AsyncIterator[WsClient]:
    async with connected(exchange) as client:
        yield client


@pytest.fixture(autouse=True)
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes of one length: no window ends while a test fills it."""
    began = time.time_ns()
    frozen = began - began % 600_000_000_000 + 300_000_000_000
    monkeypatch.setattr("services.order.component.clock_ms", lambda: frozen // 1_000_000)


def limits_of(service: OrderService) -> RequestLimits:
    return service.websocket.limits


async def test_an_address_beyond_its_weight_is_told_when_to_come_back_and_nothing_happens(
    exchange: OrderExchange, socket: WsClient
) -> None:
    limits_of(exchange.service).add_weight(ADDRESS, WEIGHT.most)
    answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    assert (answer.status_code, answer.json()["code"]) == (429, -1003)
    assert set(answer.json()) == {"code", "msg"}
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert int(answer.headers["x-mbx-used-weight-1m"]) > WEIGHT.most
    assert exchange.commands == []
    reply = await socket.ask_signed("order.place", ALICE, **limit_order("BUY", "50000", "1"))
    assert (reply["status"], reply["error"]["code"]) == (429, -1003)
    wait = reply["error"]["data"]
    assert 0 < wait["retryAfter"] - wait["serverTime"] <= 60_000
    assert exchange.commands == []


async def test_an_address_that_goes_on_all_the_same_is_banned(
    exchange: OrderExchange, socket: WsClient
) -> None:
    limits = limits_of(exchange.service)
    used = (await socket.ask("ping"))["rateLimits"][0]["count"]
    assert limits.add_weight(ADDRESS, 2 * WEIGHT.most - 1 - used) == 2 * WEIGHT.most - 1
    statuses = [(await exchange.request("GET", "/account", ALICE)).status_code for _ in range(2)]
    assert statuses == [429, 418]
    reply = await socket.ask("ping")
    assert (reply["status"], reply["error"]["code"]) == (418, -1003)
    assert "IP banned until" in reply["error"]["msg"]


async def test_pings_beyond_the_weight_count_too(exchange: OrderExchange, socket: WsClient) -> None:
    limits_of(exchange.service).add_weight(ADDRESS, WEIGHT.most)
    before = (await socket.ask("ping"))["rateLimits"][0]["count"]
    assert (await socket.ask("ping"))["rateLimits"][0]["count"] == before + 1


async def test_an_account_beyond_its_orders_can_cancel_and_no_more(
    exchange: OrderExchange, socket: WsClient
) -> None:
    placed = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()
    limits_of(exchange.service).reserve_orders(ALICE, ORDERS_10S.most - 1)
    for answer in (
        await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1")),
        await exchange.request(
            "POST", "/order/cancelReplace", ALICE, cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=placed["orderId"], **limit_order("BUY", "50001", "1"),
        ),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (429, -1015)
        assert int(answer.headers["retry-after"]) >= 1
    reply = await socket.ask_signed("order.place", ALICE, **limit_order("BUY", "50000", "1"))
    assert (reply["status"], reply["error"]["code"]) == (429, -1015)
    assert len(exchange.commands) == 1
    counted = (await exchange.request("GET", "/rateLimit/order", ALICE)).json()
    assert [row["count"] for row in counted] == [ORDERS_10S.most] * 2
    other = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "1"))
    assert other.status_code == 200
    canceled = await exchange.request("DELETE", "/order", ALICE, symbol="BTCUSDT", orderId=placed["orderId"])
    assert canceled.json()["status"] == "CANCELED"


@covers("parameter orderRateLimitExceededMode")
async def test_cancel_only_gives_the_old_order_up_without_a_new_one(exchange: OrderExchange) -> None:
    placed = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()
    limits_of(exchange.service).reserve_orders(ALICE, ORDERS_10S.most - 1)
    for code, canceled, new in ((-2021, "SUCCESS", "FAILURE"), (-2022, "FAILURE", "NOT_ATTEMPTED")):
        answer = await exchange.request(
            "POST", "/order/cancelReplace", ALICE, cancelReplaceMode="STOP_ON_FAILURE",
            orderRateLimitExceededMode="CANCEL_ONLY", cancelOrderId=placed["orderId"],
            **limit_order("BUY", "50001", "1"),
        )  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (429, code)
        data = answer.json()["data"]
        assert (data["cancelResult"], data["newOrderResult"]) == (canceled, new)
        if new == "FAILURE":
            assert data["newOrderResponse"]["code"] == -1015
    assert (await exchange.request("GET", "/openOrders", ALICE)).json() == []


async def test_without_request_limits_nobody_is_refused() -> None:
    async with running_exchange() as exchange:
        limits_of(exchange.service).add_weight(ADDRESS, 10 * WEIGHT.most)
        limits_of(exchange.service).reserve_orders(ALICE, 10 * ORDERS_10S.most)
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
        assert answer.status_code == 200


async def test_a_user_data_stream_ends_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_api, "RECHECK_EVERY_S", 0.02)
    async with running_exchange() as exchange, connected(exchange) as socket, connected(exchange) as other:
        for client, user_id in ((socket, ALICE), (other, BOB)):
            subscribed = await client.ask_signed("userDataStream.subscribe.signature", user_id)
            assert subscribed["status"] == 200
        key = exchange.credentials.keys.pop(KEYS[ALICE])
        ended = await socket.hear()
        assert ended["event"]["e"] == "eventStreamTerminated"
        await exchange.deposit(ALICE, USDT=1)
        await exchange.deposit(BOB, USDT=1)
        assert (await other.hear())["event"]["e"] == "balanceUpdate"
        await asyncio.sleep(0.1)
        assert socket.frames.empty()
        exchange.credentials.keys[KEYS[ALICE]] = key
        assert (await socket.ask_signed("userDataStream.subscribe.signature", ALICE))["status"] == 200
