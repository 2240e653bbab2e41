"""Every endpoint of both doors weighs what the documents of the API say it does."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from exchange.http.weights import MARKET_DATA_WEIGHTS
from services.order.doors.market_data import MARKET_DATA_PATHS
from tests.unit.market_data.services import OfflineService
from tests.unit.order.order_exchange import ALICE, KEYS, OrderExchange, limit_order, running_exchange
from tests.unit.order.ws_client import WsClient, connected, signed

Parameters = dict[str, object]
# The way by REST, the way by the WebSocket API, the weight, and parameters.
Requests = tuple[tuple[str, str, int, Parameters], ...]


def named(count: int) -> Parameters:
    """A list of markets; names that do not exist count like others."""
    return {"symbols": json.dumps([f"SYM{number}" for number in range(count)], separators=(",", ":"))}


BTC: Parameters = {"symbol": "BTCUSDT"}


# binance-spot-api, section 2; the ways of the WebSocket API that have no path of REST: its section 5.
MARKET_DATA: Requests = (
    ("/ping", "ping", 1, {}),
    ("/time", "time", 1, {}),
    ("/exchangeInfo", "exchangeInfo", 20, {}),
    ("/depth", "depth", 5, BTC),
    ("/depth", "depth", 5, BTC | {"limit": 100}),
    ("/depth", "depth", 25, BTC | {"limit": 101}),
    ("/depth", "depth", 25, BTC | {"limit": 500}),
    ("/depth", "depth", 50, BTC | {"limit": 1_000}),
    ("/depth", "depth", 250, BTC | {"limit": 1_001}),
    ("/depth", "depth", 250, BTC | {"limit": 5_000}),
    ("/depth", "depth", 250, BTC | {"limit": 10**30}),
    ("/depth", "depth", 5, BTC | {"limit": "many"}),
    ("/trades", "trades.recent", 25, BTC),
    ("/historicalTrades", "trades.historical", 25, BTC),
    ("/aggTrades", "trades.aggregate", 4, BTC),
    ("/klines", "klines", 2, BTC | {"interval": "1d"}),
    ("/uiKlines", "uiKlines", 2, BTC | {"interval": "1d"}),
    ("/avgPrice", "avgPrice", 2, BTC),
    ("/ticker/24hr", "ticker.24hr", 2, BTC),
    ("/ticker/24hr", "ticker.24hr", 2, named(20)),
    ("/ticker/24hr", "ticker.24hr", 40, named(21)),
    ("/ticker/24hr", "ticker.24hr", 40, named(100)),
    ("/ticker/24hr", "ticker.24hr", 80, named(101)),
    ("/ticker/24hr", "ticker.24hr", 80, {}),
    ("/ticker/price", "ticker.price", 2, BTC),
    ("/ticker/price", "ticker.price", 4, named(2)),
    ("/ticker/price", "ticker.price", 4, {}),
    ("/ticker/bookTicker", "ticker.book", 2, BTC),
    ("/ticker/bookTicker", "ticker.book", 4, {}),
    ("/ticker", "ticker", 4, BTC),
    ("/ticker", "ticker", 12, named(3)),
    ("/ticker", "ticker", 200, named(60)),
    ("/ticker/tradingDay", "ticker.tradingDay", 4, BTC),
    ("/ticker/tradingDay", "ticker.tradingDay", 200, named(60)),
    ("/executionRules", "executionRules", 40, {}),
    ("/executionRules", "executionRules", 2, BTC),
    ("/executionRules", "executionRules", 6, named(3)),
    ("/executionRules", "executionRules", 40, named(60)),
    ("/referencePrice", "referencePrice", 2, BTC),
    ("/referencePrice/calculation", "referencePrice.calculation", 2, BTC),
    ("/historicalBlockTrades", "blockTrades.historical", 25, BTC | {"fromId": 1}),
)
BY_BOTH: Requests = (
    ("POST /order/test", "order.test", 1, limit_order("BUY", "50000", "1")),
    (
        "POST /order/test",
        "order.test",
        20,
        limit_order("BUY", "50000", "1", computeCommissionRates="true"),
    ),
    ("GET /order", "order.status", 4, BTC | {"orderId": 1}),
    ("GET /openOrders", "openOrders.status", 6, BTC),
    ("GET /openOrders", "openOrders.status", 80, {}),
    ("DELETE /openOrders", "openOrders.cancelAll", 1, BTC),
    ("GET /allOrders", "allOrders", 20, BTC),
    (
        "POST /order/cancelReplace",
        "order.cancelReplace",
        1,
        limit_order("BUY", "50000", "0.001", cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=7),
    ),
    ("PUT /order/amend/keepPriority", "order.amend.keepPriority", 4, BTC),
    ("GET /order/amendments", "order.amendments", 4, BTC | {"orderId": 1}),
    ("POST /orderList/oco", "orderList.place.oco", 1, BTC),
    ("POST /orderList/oto", "orderList.place.oto", 1, BTC),
    ("POST /orderList/otoco", "orderList.place.otoco", 1, BTC),
    ("POST /orderList/opo", "orderList.place.opo", 1, BTC),
    ("POST /orderList/opoco", "orderList.place.opoco", 1, BTC),
    ("POST /order/oco", "orderList.place", 1, BTC),
    ("GET /orderList", "orderList.status", 4, {"orderListId": 1}),
    ("GET /openOrderList", "openOrderLists.status", 6, {}),
    ("GET /allOrderList", "allOrderLists", 20, {}),
    ("DELETE /orderList", "orderList.cancel", 1, BTC | {"orderListId": 1}),
    ("GET /account", "account.status", 20, {}),
    ("GET /account/commission", "account.commission", 20, BTC),
    ("GET /rateLimit/order", "account.rateLimits.orders", 40, {}),
    ("GET /myTrades", "myTrades", 20, BTC),
    ("GET /myTrades", "myTrades", 5, BTC | {"orderId": 1}),
    ("GET /myPreventedMatches", "myPreventedMatches", 20, BTC | {"orderId": 1}),
    ("GET /myPreventedMatches", "myPreventedMatches", 2, BTC | {"preventedMatchId": 1}),
    ("GET /myAllocations", "myAllocations", 20, BTC),
    ("GET /myFilters", "myFilters", 40, BTC),
    ("POST /sor/order", "sor.order.place", 1, BTC),
    ("POST /sor/order/test", "sor.order.test", 1, BTC),
    # Free while they succeed, one when they are refused.
    ("POST /order", "order.place", 0, limit_order("BUY", "50000", "0.001")),
    ("POST /order", "order.place", 1, limit_order("BUY", "50000", "21")),
    ("POST /order", "order.place", 1, limit_order("BUY", "x", "1")),
    ("DELETE /order", "order.cancel", 0, BTC | {"origClientOrderId": "to-cancel"}),
    ("DELETE /order", "order.cancel", 1, BTC | {"orderId": 999_999}),
)
KEY_ONLY: Requests = (
    ("POST /userDataStream", "userDataStream.start", 2, {}),
    ("PUT /userDataStream", "userDataStream.ping", 2, {"listenKey": "x"}),
    ("DELETE /userDataStream", "userDataStream.stop", 2, {"listenKey": "x"}),
)
SOCKET_ALONE = {
    "session.logon": 2,
    "session.status": 2,
    "session.logout": 2,
    "session.subscriptions": 2,
    "userDataStream.subscribe": 2,
    "userDataStream.subscribe.signature": 2,
    "userDataStream.unsubscribe": 2,
    "no.such.method": 1,
}


@pytest.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OrderExchange]:
    """One in which no minute ends."""
    now_ms = time.time_ns() // 60_000_000_000 * 60_000
    monkeypatch.setattr("services.order.component.clock_ms", lambda: now_ms)
    async with running_exchange() as exchange:
        yield exchange


@pytest.fixture
async def socket(exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WsClient]:
    async def answered(*_: object) -> tuple[int, bytes]:
        return 200, b"{}"

    monkeypatch.setattr(type(exchange.service.websocket.market_data), "get", answered)
    async with connected(exchange) as client:
        yield client


async def used_by(socket: WsClient, method: str, parameters: Parameters) -> int:
    """What a request adds to the address's weight."""
    reply = await socket.ask(method, **parameters)
    assert reply["rateLimits"][-1]["rateLimitType"] == "REQUEST_WEIGHT"
    count = reply["rateLimits"][-1]["count"]
    assert isinstance(count, int)
    return count


async def with_order(exchange: OrderExchange, parameters: Parameters) -> None:
    """Let there be an order where one is to be cancelled."""
    name = parameters.get("origClientOrderId")
    if name is not None:
        placed = await exchange.request(
            "POST", "/order", ALICE, **limit_order("BUY", "40000", "0.001", newClientOrderId=name)
        )
        assert placed.status_code == 200


async def test_market_data_weighs_by_rest_what_is_documented() -> None:
    offline = OfflineService()
    wrong, before = [], 0
    for path, _, weight, parameters in MARKET_DATA:
        if before > 5_000:
            offline.now_ms, before = offline.now_ms + 60_000, 0
        answer = await offline.get(f"/api/v3{path}?{urlencode(parameters)}")
        used = int(answer.headers["x-mbx-used-weight-1m"])
        if used - before != weight:
            wrong.append((path, parameters, used - before, weight))
        before = used
    assert wrong == []


async def test_market_data_weighs_by_the_websocket_api_what_it_weighs_by_rest(socket: WsClient) -> None:
    wrong, before = [], await used_by(socket, "ping", {})
    for _, method, weight, parameters in MARKET_DATA:
        used = await used_by(socket, method, parameters)
        if used - before != weight:
            wrong.append((method, parameters, used - before, weight))
        before = used
    assert wrong == []


async def test_orders_and_questions_weigh_by_rest_what_is_documented(exchange: OrderExchange) -> None:
    wrong, before = [], 0
    for door, _, weight, parameters in (*BY_BOTH, *KEY_ONLY):
        verb, path = door.split()
        await with_order(exchange, parameters)
        answer = await exchange.request(verb, path, ALICE, **parameters)
        used = int(answer.headers["x-mbx-used-weight-1m"])
        if used - before != weight:
            wrong.append((door, parameters, used - before, weight))
        before = used
    assert wrong == []


async def test_orders_and_questions_weigh_the_same_by_the_websocket_api(
    exchange: OrderExchange, socket: WsClient
) -> None:
    wrong, before = [], await used_by(socket, "ping", {})
    requests: list[tuple[str, int, Parameters, Parameters]] = [
        (method, weight, parameters, signed(ALICE, dict(parameters)))
        for _, method, weight, parameters in BY_BOTH
    ]
    requests += [(method, weight, {}, p | {"apiKey": KEYS[ALICE]}) for _, method, weight, p in KEY_ONLY]
    requests += [(method, weight, {}, {}) for method, weight in SOCKET_ALONE.items()]
    for method, weight, plain, parameters in requests:
        await with_order(exchange, plain)
        used = await used_by(socket, method, parameters)
        if used - before != weight:
            wrong.append((method, plain, used - before, weight))
        before = used
    assert wrong == []


async def test_the_table_has_every_endpoint_of_both_doors(exchange: OrderExchange, socket: WsClient) -> None:
    offline = OfflineService()
    public = {
        endpoint.path
        for group in offline.service.endpoint_groups
        for endpoint in group.endpoints()
        if endpoint.path.startswith("/api/v3/")
    }
    assert public == {f"/api/v3{path}" for path, *_ in MARKET_DATA} == set(MARKET_DATA_WEIGHTS)
    routes: Any = vars(exchange.service.rest)["_routes"]
    rest = {f"{verb} {path.removeprefix('/api/v3')}" for path, methods in routes.items() for verb in methods}
    # What lies below /sapi has no documented weight here (services/order/doors/wallet_routes.py).
    assert {door for door in rest if " /sapi/" not in door} == {door for door, *_ in (*BY_BOTH, *KEY_ONLY)}
    methods = set(exchange.service.websocket.methods) | set(MARKET_DATA_PATHS)
    (session,) = exchange.service.websocket.sessions
    methods |= set(vars(session)["_own_methods"])
    listed = {method for _, method, *_ in (*MARKET_DATA, *BY_BOTH, *KEY_ONLY)} | set(SOCKET_ALONE)
    assert methods == listed - {"no.such.method"}


async def test_a_connection_weighs_two(exchange: OrderExchange) -> None:
    async with connected(exchange) as first:
        before = await used_by(first, "ping", {})
        async with connected(exchange):
            assert await used_by(first, "ping", {}) == before + 2 + 1


async def test_what_is_no_request_weighs_one(exchange: OrderExchange, socket: WsClient) -> None:
    before = await used_by(socket, "ping", {})
    socket.say("{")
    assert (await socket.hear())["rateLimits"][0]["count"] == before + 1
    unknown = await exchange.request("GET", "/nothing", ALICE)
    assert int(unknown.headers["x-mbx-used-weight-1m"]) == before + 2
