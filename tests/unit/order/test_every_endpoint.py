"""Each signed endpoint by both doors, REST and the WebSocket API: the same answer (binance-spot-api 2, 5)."""

from typing import Any

import pytest

from exchange.contracts.commands import SetTradingMode
from exchange.trading.filters import AVERAGE_PRICE_MINUTES
from services.order.requests.parameters import limit
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.ws_client import connected

BTC = {"symbol": "BTCUSDT"}
OF_ORDER = {**BTC, "orderId": 1}
ORDER_KEYS = (
    "symbol orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty status "
    "timeInForce type side stopPrice icebergQty time updateTime isWorking workingTime origQuoteOrderQty "
    "selfTradePreventionMode"
)
# REST, the method, parameters, and the keys of the answer (of its first row).
QUERIES = [
    ("GET /order", "order.status", OF_ORDER, ORDER_KEYS),
    ("GET /openOrders", "openOrders.status", BTC, ORDER_KEYS),
    (
        "GET /account",
        "account.status",
        {},
        "makerCommission takerCommission buyerCommission sellerCommission "
        "commissionRates canTrade canWithdraw canDeposit brokered requireSelfTradePrevention preventSor "
        "updateTime accountType balances permissions uid",
    ),
    (
        "GET /account/commission",
        "account.commission",
        BTC,
        "symbol standardCommission specialCommission taxCommission discount",
    ),
    (
        "GET /rateLimit/order",
        "account.rateLimits.orders",
        {},
        "rateLimitType interval intervalNum limit count",
    ),
    ("GET /myFilters", "myFilters", BTC, "exchangeFilters symbolFilters assetFilters"),
]
EMPTY = [
    ("GET /allOrders", "allOrders", BTC),
    ("GET /myTrades", "myTrades", BTC),
    ("GET /myPreventedMatches", "myPreventedMatches", OF_ORDER),
    ("GET /myAllocations", "myAllocations", BTC),
    ("GET /order/amendments", "order.amendments", OF_ORDER),
    ("GET /openOrderList", "openOrderLists.status", {}),
    ("GET /allOrderList", "allOrderLists", {}),
]
REFUSALS = [
    ("POST /sor/order", "sor.order.place", BTC, (-1020, "This operation is not supported.")),
    ("POST /sor/order/test", "sor.order.test", BTC, (-1020, "This operation is not supported.")),
]


async def both(
    exchange: OrderExchange, place: str, method: str, parameters: dict[str, object]
) -> tuple[Any, Any]:
    """The answer by REST, and by the WebSocket API."""
    verb, path = place.split()
    answer = await exchange.request(verb, path, ALICE, **parameters)
    async with connected(exchange) as socket:
        reply = await socket.ask_signed(method, ALICE, **parameters)
    assert reply["status"] == answer.status_code, answer.text
    return answer.json(), reply.get("result", reply.get("error"))


@covers(
    "GET /order",
    "GET /openOrders",
    "GET /account",
    "GET /account/commission",
    "GET /rateLimit/order",
    "GET /myFilters",
    "ws order.status",
    "ws openOrders.status",
    "ws account.status",
    "ws account.commission",
    "ws account.rateLimits.orders",
    "ws myFilters",
    "JSON",
)
@pytest.mark.parametrize(("place", "method", "parameters", "keys"), QUERIES)
async def test_questions_are_answered_alike_by_both_doors(
    exchange: OrderExchange, place: str, method: str, parameters: dict[str, object], keys: str
) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    by_rest, by_socket = await both(exchange, place, method, parameters)
    row = by_rest[0] if isinstance(by_rest, list) else by_rest
    assert list(row) == keys.split()
    assert by_socket == by_rest


@covers(
    "GET /allOrders",
    "GET /myTrades",
    "GET /myPreventedMatches",
    "GET /myAllocations",
    "GET /order/amendments",
    "GET /openOrderList",
    "GET /allOrderList",
    "ws allOrders",
    "ws myTrades",
    "ws myPreventedMatches",
    "ws myAllocations",
    "ws order.amendments",
    "ws openOrderLists.status",
    "ws allOrderLists",
)
@pytest.mark.parametrize(("place", "method", "parameters"), EMPTY)
async def test_lists_of_nothing_are_empty(
    exchange: OrderExchange, place: str, method: str, parameters: dict[str, object]
) -> None:
    assert await both(exchange, place, method, parameters) == ([], [])


@pytest.mark.parametrize(
    ("place", "method", "parameters"), [of for of in EMPTY if of[1] not in ("openOrderLists.status",)]
)
async def test_a_page_larger_than_the_largest_is_the_largest(
    exchange: OrderExchange, place: str, method: str, parameters: dict[str, object]
) -> None:
    """As for market data; -1130 is what Binance's futures say."""
    asked = {**parameters, "limit": 5_000}
    if method == "myPreventedMatches":
        asked["fromPreventedMatchId"] = 1
    assert await both(exchange, place, method, asked) == ([], [])
    assert limit({"limit": "5000"}) == limit({"limit": "1000"}) == 1_000


@covers(
    "POST /sor/order",
    "POST /sor/order/test",
    "ws sor.order.place",
    "ws sor.order.test",
    "-1020",
)
@pytest.mark.parametrize(("place", "method", "parameters", "refusal"), REFUSALS)
async def test_what_is_absent_is_refused_in_binances_words(
    exchange: OrderExchange, place: str, method: str, parameters: dict[str, object], refusal: tuple[int, str]
) -> None:
    code, text = refusal
    assert await both(exchange, place, method, parameters) == ({"code": code, "msg": text},) * 2
    if "symbol" in parameters:
        wrong = await both(exchange, place, method, {**parameters, "symbol": "NOSUCH"})
        assert [body["code"] for body in wrong] == [-1121, -1121], "the client's own mistake comes first"


@covers(
    "ws order.place",
    "ws order.test",
    "ws order.cancel",
    "ws order.cancelReplace",
    "ws openOrders.cancelAll",
    "POST /order",
    "POST /order/test",
    "DELETE /order",
    "POST /order/cancelReplace",
    "DELETE /openOrders",
    "parameter newOrderRespType",
    "parameter cancelReplaceMode",
)
async def test_orders_are_placed_changed_and_cancelled_by_both_doors(exchange: OrderExchange) -> None:
    shapes = []
    for door in ("REST", "WebSocket API"):
        async with connected(exchange) as socket:

            async def ask(
                place: str, method: str, door: str = door, socket: Any = socket, /, **parameters: object
            ) -> Any:
                if door == "REST":
                    verb, path = place.split()
                    return (await exchange.request(verb, path, ALICE, **parameters)).json()
                return (await socket.ask_signed(method, ALICE, **parameters))["result"]

            order = limit_order("BUY", "40000", "1", newOrderRespType="RESULT")
            assert await ask("POST /order/test", "order.test", **order) == {}
            placed = await ask("POST /order", "order.place", **order)
            replaced = await ask(
                "POST /order/cancelReplace",
                "order.cancelReplace",
                **order,
                cancelReplaceMode="STOP_ON_FAILURE",
                cancelOrderId=placed["orderId"],
            )
            kept = replaced["newOrderResponse"]["orderId"]
            cancelled = await ask("DELETE /order", "order.cancel", **BTC, orderId=kept)
            await ask("POST /order", "order.place", **order)
            all_cancelled = await ask("DELETE /openOrders", "openOrders.cancelAll", **BTC)
        assert [one["status"] for one in (placed, cancelled, *all_cancelled)] == [
            "NEW",
            "CANCELED",
            "CANCELED",
        ]
        assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        shapes.append([list(one) for one in (placed, replaced, cancelled, all_cancelled[0])])
    assert shapes[0] == shapes[1]


@covers(
    "filter PRICE_FILTER",
    "filter LOT_SIZE",
    "filter MARKET_LOT_SIZE",
    "filter NOTIONAL",
    "filter PERCENT_PRICE_BY_SIDE",
    "filter MAX_NUM_ORDERS",
)
async def test_the_filters_of_an_account_are_its_markets(exchange: OrderExchange) -> None:
    answer = (await exchange.request("GET", "/myFilters", ALICE, **BTC)).json()
    assert (answer["exchangeFilters"], answer["assetFilters"]) == ([], [])
    rules = {one["filterType"]: one for one in answer["symbolFilters"]}
    assert rules["NOTIONAL"]["avgPriceMins"] == AVERAGE_PRICE_MINUTES
    # Each filter is kept: what breaks it alone is refused with its name.
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "0.01"))
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.01"))
    market = {**BTC, "side": "BUY", "type": "MARKET"}
    broken: dict[str, dict[str, object]] = {
        "PRICE_FILTER": limit_order("BUY", "50000.001", "1"),
        "LOT_SIZE": limit_order("BUY", "50000", "0.000001"),
        "MARKET_LOT_SIZE": {**market, "quantity": rules["LOT_SIZE"]["maxQty"]},
        "NOTIONAL": limit_order("BUY", "50000", "0.00001"),
        "PERCENT_PRICE_BY_SIDE": limit_order("BUY", "5000", "1"),
    }
    for name, order in broken.items():
        answer = (await exchange.request("POST", "/order", ALICE, **order)).json()
        assert answer == {"code": -1013, "msg": f"Filter failure: {name}"}
    small = limit_order("BUY", "49000", "0.001", newOrderRespType="ACK")
    for _ in range(rules["MAX_NUM_ORDERS"]["maxNumOrders"]):
        assert (await exchange.request("POST", "/order", ALICE, **small)).status_code == 200
    answer = (await exchange.request("POST", "/order", ALICE, **small)).json()
    assert answer == {"code": -1013, "msg": "Filter failure: MAX_NUM_ORDERS"}


@pytest.mark.parametrize("path", ["/nothing", "/order/nothing", "/orderList/x/y"])
async def test_a_path_that_is_none_answers_in_binances_way(exchange: OrderExchange, path: str) -> None:
    answer = await exchange.request("GET", path, ALICE)
    assert (answer.status_code, answer.json()) == (
        404,
        {"code": -1020, "msg": "This operation is not supported."},
    )


@pytest.mark.parametrize(("mode", "code"), [(1, -1013), (2, -1013)])
async def test_a_closed_market_says_so(exchange: OrderExchange, mode: int, code: int) -> None:
    exchange.stream.apply(SetTradingMode(5, 1, mode))
    await exchange.publish()
    answer = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()
    assert answer == {"code": code, "msg": "Market is closed."}
