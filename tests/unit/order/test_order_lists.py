"""Lists of every kind by both doors, over the real engine: placed, asked for, cancelled, told of."""

from typing import Any

import pytest

from exchange.money import NUMBER_PATTERN
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.test_orders_with_terms import ask, refusal, told, trade_at
from tests.unit.order.ws_client import connected

BTC = {"symbol": "BTCUSDT"}
OCO = {
    **BTC,
    "side": "SELL",
    "quantity": "0.1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "70000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "59000",
    "belowPrice": "58900",
    "belowTimeInForce": "GTC",
}
LEGACY = {
    **BTC,
    "side": "SELL",
    "quantity": "0.1",
    "price": "70000",
    "stopPrice": "59000",
    "stopLimitPrice": "58900",
    "stopLimitTimeInForce": "GTC",
}
WORKING = {
    **BTC,
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "60000",
    "workingQuantity": "0.1",
    "workingTimeInForce": "GTC",
}
OTO = {**WORKING, "pendingType": "MARKET", "pendingSide": "SELL", "pendingQuantity": "0.1"}
OTOCO = {
    **WORKING,
    "pendingSide": "SELL",
    "pendingQuantity": "0.09",
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "70000",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "59000",
}
OPO = {name: value for name, value in OTO.items() if name != "pendingQuantity"}
OPOCO = {name: value for name, value in OTOCO.items() if name != "pendingQuantity"}
LIST_KEYS = [
    *("orderListId", "contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId"),
    *("transactionTime", "symbol", "orders"),
]
NO_BELOW = {"belowStopPrice": None, "belowTimeInForce": None}
ABOVE_AT_STOP = {"abovePrice": None, "aboveStopPrice": "61000"}


def locked(account: dict[str, Any], asset: str) -> str:
    return str({row["asset"]: row["locked"] for row in account["balances"]}[asset])


@covers(
    "POST /orderList/oco", "POST /order/oco", "POST /orderList/oto", "POST /orderList/otoco",
    "ws orderList.place.oco", "ws orderList.place", "ws orderList.place.oto", "ws orderList.place.otoco",
    "DELETE /orderList", "ws orderList.cancel", "GET /orderList", "ws orderList.status",
    "GET /openOrderList", "ws openOrderLists.status", "OCO", "OTO", "OTOCO", "OPO", "OPOCO",
    "POST /orderList/opo", "POST /orderList/opoco", "ws orderList.place.opo", "ws orderList.place.opoco",
)  # fmt: skip
@pytest.mark.parametrize(
    ("path", "method", "parameters", "kinds"),
    [
        ("/orderList/oco", "orderList.place.oco", OCO, ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]),
        ("/order/oco", "orderList.place", LEGACY, ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]),
        ("/orderList/oto", "orderList.place.oto", OTO, ["LIMIT", "MARKET"]),
        ("/orderList/otoco", "orderList.place.otoco", OTOCO, ["LIMIT", "LIMIT_MAKER", "STOP_LOSS"]),
        ("/orderList/opo", "orderList.place.opo", OPO, ["LIMIT", "MARKET"]),
        ("/orderList/opoco", "orderList.place.opoco", OPOCO, ["LIMIT", "LIMIT_MAKER", "STOP_LOSS"]),
    ],
)
async def test_lists_are_placed_asked_for_and_cancelled_by_both_doors(
    exchange: OrderExchange, path: str, method: str, parameters: dict[str, object], kinds: list[str]
) -> None:
    await trade_at(exchange, "60000")
    shapes = []
    for door in ("REST", "WebSocket API"):
        async with connected(exchange) as socket:

            async def both(
                verb: str, path: str, method: str, door: str = door, socket: Any = socket, /, **more: object
            ) -> Any:
                if door == "REST":
                    return await ask(exchange, verb, path, **more)
                reply = await socket.ask_signed(method, ALICE, **more)
                assert reply["status"] == 200, reply
                return reply["result"]

            placed = await both("POST", path, method, **parameters)
            assert list(placed) == [*LIST_KEYS, "orderReports"]
            assert [report["type"] for report in placed["orderReports"]] == kinds
            pending = "NEW" if placed["contingencyType"] == "OCO" else "PENDING_NEW"
            assert [report["status"] for report in placed["orderReports"]] == [
                "NEW", *[pending] * (len(kinds) - 1),
            ]  # fmt: skip
            for named in (
                {"orderListId": placed["orderListId"]},
                {"origClientOrderId": placed["listClientOrderId"]},
            ):
                found = await both("GET", "/orderList", "orderList.status", **named)
                assert found == {name: placed[name] for name in LIST_KEYS}
            assert await both("GET", "/openOrderList", "openOrderLists.status") == [found]
            cancelled = await both(
                "DELETE", "/orderList", "orderList.cancel", **BTC, orderListId=placed["orderListId"]
            )
            assert (cancelled["listOrderStatus"], cancelled["listStatusType"]) == ("ALL_DONE", "ALL_DONE")
            assert {report["status"] for report in cancelled["orderReports"]} == {"CANCELED"}
            assert {report["orderId"] for report in cancelled["orderReports"]} == {
                one["orderId"] for one in placed["orders"]
            }
            assert await both("GET", "/openOrderList", "openOrderLists.status") == []
            done = await both("GET", "/orderList", "orderList.status", **named)
            assert (done["listStatusType"], done["orders"]) == ("ALL_DONE", placed["orders"])
        shapes.append([list(one) for one in (placed, found, cancelled, *cancelled["orderReports"])])
    assert shapes[0] == shapes[1]
    account = await ask(exchange, "GET", "/account")
    assert {row["locked"] for row in account["balances"]} == {"0.00000000"}


@covers("listStatus")
async def test_an_oco_holds_once_and_one_order_ends_the_other(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        placed = await ask(exchange, "POST", "/orderList/oco", **OCO, listClientOrderId="mine")
        assert locked(await ask(exchange, "GET", "/account"), "BTC") == "0.10000000"
        started, above, below, _ = await told(socket, 4)
        assert started.items() >= {"e": "listStatus", "c": "OCO", "l": "EXEC_STARTED", "C": "mine"}.items()
        assert [one["i"] for one in started["O"]] == [one["orderId"] for one in placed["orders"]]
        assert [(one["o"], one["g"], one["w"]) for one in (above, below)] == [
            ("LIMIT_MAKER", placed["orderListId"], True),
            ("STOP_LOSS_LIMIT", placed["orderListId"], False),
        ]
        await trade_at(exchange, "58950")
        expired, done, working, _ = await told(socket, 4)
    assert expired.items() >= {"x": "EXPIRED", "X": "EXPIRED", "eR": "OCO_TRIGGER"}.items()
    assert done.items() >= {"e": "listStatus", "l": "ALL_DONE", "L": "ALL_DONE", "C": "mine"}.items()
    assert working.items() >= {"x": "NEW", "X": "NEW", "w": True, "i": below["i"]}.items()
    ended = await ask(exchange, "GET", "/order", **BTC, orderId=above["i"])
    assert (ended["status"], ended["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
    assert locked(await ask(exchange, "GET", "/account"), "BTC") == "0.10000000"
    # It outlives its list, and is cancelled as any order is.
    alone = await ask(exchange, "DELETE", "/order", **BTC, orderId=below["i"])
    assert (alone["orderId"], alone["status"]) == (below["i"], "CANCELED")


async def test_cancelling_one_order_of_a_list_cancels_the_list(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    await ask(exchange, "POST", "/order", **limit_order("BUY", "50000", "0.1"))
    first = await ask(exchange, "POST", "/orderList/oco", **OCO)
    answer = await ask(exchange, "DELETE", "/order", **BTC, orderId=first["orders"][1]["orderId"])
    assert (answer["orderListId"], answer["listOrderStatus"]) == (first["orderListId"], "ALL_DONE")
    second = await ask(exchange, "POST", "/orderList/otoco", **OTOCO)
    answers = await ask(exchange, "DELETE", "/openOrders", **BTC)
    assert [one.get("status", one.get("listOrderStatus")) for one in answers] == ["CANCELED", "ALL_DONE"]
    assert [one["orderId"] for one in answers[1]["orders"]] == [one["orderId"] for one in second["orders"]]
    assert len(answers[1]["orderReports"]) == 3


async def test_pending_orders_take_over_when_the_working_one_is_filled(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    placed = await ask(exchange, "POST", "/orderList/otoco", **OTOCO)
    working, above, below = (one["orderId"] for one in placed["orders"])
    await ask(exchange, "POST", "/order", BOB, **limit_order("SELL", "60000", "0.1"))
    states = {}
    for order_id in (working, above, below):
        found = await ask(exchange, "GET", "/order", **BTC, orderId=order_id)
        states[order_id] = (found["status"], found["isWorking"])
    assert states == {working: ("FILLED", True), above: ("NEW", True), below: ("NEW", False)}
    assert locked(await ask(exchange, "GET", "/account"), "BTC") == "0.09000000"
    assert len(await ask(exchange, "GET", "/openOrders", **BTC)) == 2


async def test_an_opo_sells_what_was_bought_of_it_and_keeps_it_until_then(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        placed = await ask(exchange, "POST", "/orderList/opoco", **OPOCO)
        _, above, below = (one["orderId"] for one in placed["orders"])
        reports = placed["orderReports"]
        assert [one.get("origQty") for one in reports] == ["0.10000000", None, None]
        assert [one["status"] for one in reports] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
        await ask(exchange, "POST", "/order", BOB, **limit_order("SELL", "60000", "0.04"))
        account = await ask(exchange, "GET", "/account")
        # There is other money for the fee.
        assert locked(account, "BTC") == "0.04000000"
        pending = await ask(exchange, "GET", "/order", **BTC, orderId=above)
        assert (pending["status"], pending["origQty"]) == ("PENDING_NEW", "0.00000000")
        assert await refusal(
            exchange, "PUT", "/order/amend/keepPriority", **BTC, orderId=above, newQty="0.01"
        ) == (-2038, "Order amend (pending OPO order) is not supported.")
        await ask(exchange, "POST", "/order", BOB, **limit_order("SELL", "60000", "0.06"))
        seen: list[dict[str, Any]] = []
        while len([one for one in seen if one.get("i") == below]) < 2:
            seen += await told(socket, 1)
    of_pending = [one for one in seen if one.get("i") in (above, below)]
    assert [(one["X"], one["q"], one["w"]) for one in of_pending] == [
        ("PENDING_NEW", "0.00000000", False), ("PENDING_NEW", "0.00000000", False),
        ("NEW", "0.10000000", True), ("NEW", "0.10000000", False),
    ]  # fmt: skip
    positions = [one for one in seen if one["e"] == "outboundAccountPosition"]
    btc = {one["a"]: one["l"] for position in positions for one in position["B"]}
    assert btc["BTC"] == "0.04000000"
    assert locked(await ask(exchange, "GET", "/account"), "BTC") == "0.10000000"
    found = await ask(exchange, "GET", "/order", **BTC, orderId=above)
    assert (found["status"], found["origQty"]) == ("NEW", "0.10000000")
    await ask(exchange, "DELETE", "/orderList", **BTC, orderListId=placed["orderListId"])
    assert locked(await ask(exchange, "GET", "/account"), "BTC") == "0.00000000"


@pytest.mark.parametrize(
    ("path", "parameters", "code", "text"),
    [
        ("oco", {**OCO, "aboveType": "LIMIT"}, -1158, "Order type not supported in OCO."),
        ("oco", {**OCO, "belowType": "LIMIT_MAKER", **NO_BELOW}, -1168,
         "At least one OCO order must be contingent."),
        ("oco", {**OCO, "side": "BUY"}, -1165, "A limit order in a buy OCO must be below."),
        ("oco", {**OCO, "aboveType": "STOP_LOSS", **ABOVE_AT_STOP}, -1197,
         "A stop loss order in a sell OCO must be below."),
        ("oco", {**OCO, "aboveType": "STOP_LOSS", **ABOVE_AT_STOP, "side": "BUY"},
         -1196, "A stop loss order in a buy OCO must be above."),
        ("oco", {**OCO, "aboveType": "TAKE_PROFIT", **ABOVE_AT_STOP, "side": "BUY"},
         -1198, "A take profit order in a buy OCO must be below."),
        ("oco", {**OCO, "belowType": "TAKE_PROFIT", "belowPrice": None, "belowTimeInForce": None}, -1199,
         "A take profit order in a sell OCO must be above."),
        ("oco", {**OCO, "belowType": "LIMIT_MAKER", **NO_BELOW,
                 "aboveType": "TAKE_PROFIT", **ABOVE_AT_STOP}, -1166,
         "A limit order in a sell OCO must be above."),
        ("oco", {**OCO, "belowTimeInForce": "IOC", "belowIcebergQty": "0.01"}, -1160,
         "Parameter 'belowIcebergQty' is not supported if 'belowTimeInForce' is not GTC."),
        ("oco", {**OCO, "abovePrice": "59500"}, -2010,
         "The relationship of the prices for the orders is not correct."),
        ("oco", {**OCO, "abovePrice": "59000", "belowStopPrice": "70000"}, -2010,
         "The relationship of the prices for the orders is not correct."),
        ("oco", {**OCO, "belowPrice": None}, -1102,
         "Mandatory parameter 'belowPrice' was not sent, was empty/null, or malformed."),
        ("oco", {**OCO, "abovePrice": "x"}, -1100,
         f"Illegal characters found in parameter 'abovePrice'; legal range is '{NUMBER_PATTERN}'."),
        ("oto", {**OTO, "workingType": "MARKET"}, -1130,
         "Data sent for parameter 'workingType' is not valid."),
        ("oto", {**OTO, "pendingQuantity": None}, -1102,
         "Mandatory parameter 'pendingQuantity' was not sent, was empty/null, or malformed."),
        ("opo", {**OPO, "workingSide": "SELL"}, -1222, "Working order in an OPO list must be a bid."),
        ("opoco", {**OPOCO, "workingSide": "SELL"}, -1222, "Working order in an OPO list must be a bid."),
        ("opo", {**OPO, "pendingSide": "BUY"}, -1223, "Pending orders in an OPO list must be asks."),
        ("opoco", {**OPOCO, "pendingSide": "BUY"}, -1223, "Pending orders in an OPO list must be asks."),
        ("opo", {**OTO, "workingSide": "BUY"}, -1104,
         "Not all sent parameters were read; read '10' parameter(s) but was sent '11'."),
        ("opo", {**OPO, "pendingType": "LIMIT", "pendingTimeInForce": "GTC", "pendingPrice": "9000000"},
         -1013, "Filter failure: PRICE_FILTER"),
        ("opo", {**OPO, "workingQuantity": None}, -1102,
         "Mandatory parameter 'workingQuantity' was not sent, was empty/null, or malformed."),
    ],
)  # fmt: skip
@covers("-1222", "-1223", "-1224", "-1225")
@covers("-1158", "-1160", "-1165", "-1166", "-1168", "-1196", "-1197", "-1198", "-1199", "-2010", "-1102")
async def test_a_list_that_cannot_be_is_refused_in_binances_words(
    exchange: OrderExchange, path: str, parameters: dict[str, object], code: int, text: str
) -> None:
    await trade_at(exchange, "60000")
    sent = {name: value for name, value in parameters.items() if value is not None}
    assert await refusal(exchange, "POST", f"/orderList/{path}", **sent) == (code, text)
    assert await ask(exchange, "GET", "/openOrderList") == []


@covers("-2011", "-2013", "filter MAX_NUM_ORDER_LISTS")
async def test_lists_that_are_not_there_and_one_too_many(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    assert await refusal(exchange, "GET", "/orderList", orderListId=77) == (
        -2013,
        "Order list does not exist.",
    )
    assert await refusal(exchange, "DELETE", "/orderList", **BTC, orderListId=77) == (
        -2011, "Unknown order list sent.",
    )  # fmt: skip
    filters = (await ask(exchange, "GET", "/myFilters", **BTC))["symbolFilters"]
    (count,) = (one["maxNumOrderLists"] for one in filters if one["filterType"] == "MAX_NUM_ORDER_LISTS")
    small = {**OCO, "quantity": "0.001", "newOrderRespType": "ACK"}
    for number in range(count):
        placed = await ask(exchange, "POST", "/orderList/oco", **small, listClientOrderId=f"list-{number}")
    assert list(placed["orderReports"][0]) == [
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    ]
    assert await refusal(exchange, "POST", "/orderList/oco", **small) == (
        -1013, "Filter failure: MAX_NUM_ORDER_LISTS",
    )  # fmt: skip


async def test_a_list_is_told_of_once_where_an_amendment_brings_a_new_name(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    placed = await ask(exchange, "POST", "/orderList/oco", **OCO, aboveClientOrderId="above")
    amended = {**BTC, "orderId": placed["orders"][0]["orderId"]}
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        for name, quantity in (("above", "0.09"), ("other", "0.08")):
            await ask(
                exchange,
                "PUT",
                "/order/amend/keepPriority",
                **amended,
                newQty=quantity,
                newClientOrderId=name,
            )
        await ask(exchange, "POST", "/order", **limit_order("BUY", "50000", "0.1", newClientOrderId="last"))
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1].get("c") != "last":
            seen += await told(socket, 1)
    assert [one["c"] for one in seen if one.get("x") == "REPLACED"].count("other") == 1
    assert [one["l"] for one in seen if one["e"] == "listStatus"] == ["UPDATED"]
