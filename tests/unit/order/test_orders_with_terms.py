"""Stops, trailing stops, icebergs, pegs, strategies, DECREMENT and amendments, over the real engine."""

from typing import Any

import pytest

from exchange.contracts.limits import ICEBERG_PARTS_MAX, TRAILING_BIPS_MAX
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.ws_client import WsClient, connected

BTC = {"symbol": "BTCUSDT"}
STOP = {**BTC, "side": "SELL", "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "quantity": "0.2"}
LIMIT_BUY = limit_order("BUY", "50000", "0.5")


async def trade_at(exchange: OrderExchange, price: str) -> None:
    """Bob sells to somebody who is not Alice, so that the market has a last price."""
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", price, "0.001"))
    answer = await exchange.request(
        "POST", "/order", BOB, **limit_order("BUY", price, "0.001", selfTradePreventionMode="NONE")
    )
    assert answer.json()["status"] == "FILLED", answer.text


async def ask(
    exchange: OrderExchange, verb: str, path: str, user: int = ALICE, /, **parameters: object
) -> Any:
    answer = await exchange.request(verb, path, user, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(exchange: OrderExchange, verb: str, path: str, **parameters: object) -> tuple[int, str]:
    answer = await exchange.request(verb, path, ALICE, **parameters)
    assert answer.status_code == 400, answer.text
    return answer.json()["code"], answer.json()["msg"]


async def told(socket: WsClient, count: int) -> list[dict[str, Any]]:
    return [(await socket.hear())["event"] for _ in range(count)]


@covers("type STOP_LOSS_LIMIT", "parameter strategyId")
async def test_a_stop_waits_holds_goes_to_work_and_is_told_of(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        placed = await ask(
            exchange, "POST", "/order", **STOP, price="58000", stopPrice="59000", strategyId=7,
            strategyType=1_000_001, newOrderRespType="RESULT",
        )  # fmt: skip
        waiting = {"status": "NEW", "workingTime": -1, "stopPrice": "59000.00000000"}
        assert placed.items() >= {**waiting, "strategyId": 7, "strategyType": 1_000_001}.items()
        found = await ask(exchange, "GET", "/order", **BTC, orderId=placed["orderId"])
        assert found.items() >= {**waiting, "isWorking": False, "strategyId": 7}.items()
        held = await ask(exchange, "GET", "/account")
        assert {row["asset"]: row["locked"] for row in held["balances"]}["BTC"] == "0.20000000"
        new, _ = await told(socket, 2)
        assert new.items() >= {"x": "NEW", "X": "NEW", "P": "59000.00000000", "w": False, "j": 7}.items()
        assert "W" not in new
        # The price falls to it: it works, at its own limit.
        await ask(exchange, "POST", "/order", BOB, **limit_order("BUY", "58500", "0.1"))
        await trade_at(exchange, "58600")
        events = await told(socket, 3)
        found = await ask(exchange, "GET", "/order", **BTC, orderId=placed["orderId"])
        assert (found["status"], found["executedQty"]) == ("PARTIALLY_FILLED", "0.10000000")
        assert (found["isWorking"], found["workingTime"]) == (True, found["updateTime"])
        assert [(one.get("x"), one.get("w")) for one in events[:2]] == [("NEW", True), ("TRADE", True)]
        assert events[0]["W"] == found["workingTime"]


@covers("type STOP_LOSS", "type TAKE_PROFIT", "type TAKE_PROFIT_LIMIT", "parameter trailingDelta")
async def test_each_kind_is_taken_with_its_own_parameters(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    market = {**BTC, "side": "SELL", "quantity": "0.1", "newOrderRespType": "RESULT"}
    for kind, stop in (("STOP_LOSS", "59000"), ("TAKE_PROFIT", "61000")):
        placed = await ask(exchange, "POST", "/order", **market, type=kind, stopPrice=stop)
        assert placed.items() >= {"type": kind, "stopPrice": f"{stop}.00000000"}.items()
    limit = {**market, "type": "TAKE_PROFIT_LIMIT", "timeInForce": "GTC", "price": "62000"}
    assert (await ask(exchange, "POST", "/order", **limit, stopPrice="61000"))["price"] == "62000.00000000"
    trailing = await ask(exchange, "POST", "/order", **market, type="STOP_LOSS", trailingDelta=100)
    assert (trailing["trailingDelta"], "stopPrice" in trailing) == (100, False)
    found = await ask(exchange, "GET", "/order", **BTC, orderId=trailing["orderId"])
    assert (found["trailingDelta"], found["isWorking"]) == (100, False)
    assert len(await ask(exchange, "GET", "/openOrders", **BTC)) == 4
    # They go to work as the price comes by: all that are due sell into what bids.
    await ask(exchange, "POST", "/order", BOB, **limit_order("BUY", "59300", "1"))
    await ask(exchange, "POST", "/order", BOB, **limit_order("SELL", "59300", "0.01",
                                                             selfTradePreventionMode="NONE"))  # fmt: skip
    sold = await ask(exchange, "GET", "/order", **BTC, orderId=trailing["orderId"])
    assert (sold["status"], sold["executedQty"]) == ("FILLED", "0.10000000")


async def test_it_is_told_since_when_a_stop_follows_the_price(exchange: OrderExchange) -> None:
    """Without a stop price at once, as the answer says, too; else from when that is reached."""
    await trade_at(exchange, "60000")
    sale = {**BTC, "side": "SELL", "quantity": "0.1", "type": "STOP_LOSS", "trailingDelta": 100}
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        at_once = await ask(exchange, "POST", "/order", **sale)
        assert at_once["trailingTime"] == at_once["transactTime"]
        found = await ask(exchange, "GET", "/order", **BTC, orderId=at_once["orderId"])
        assert found["trailingTime"] == at_once["transactTime"]
        new, _ = await told(socket, 2)
        assert (new["d"], new["D"]) == (100, at_once["transactTime"])
        later = await ask(exchange, "POST", "/order", **sale, stopPrice="59800")
        assert later["trailingTime"] == -1
        new, _ = await told(socket, 2)
        assert new["d"] == 100
        assert "D" not in new, "there while the order follows the price"
    await trade_at(exchange, "59700")
    found = await ask(exchange, "GET", "/order", **BTC, orderId=later["orderId"])
    assert found["trailingTime"] == found["updateTime"] > found["time"]


@covers("parameter icebergQty", "parameter pegPriceType", "mode DECREMENT", "mode TRANSFER")
async def test_icebergs_pegs_and_decrements(exchange: OrderExchange) -> None:
    iceberg = await ask(exchange, "POST", "/order", **LIMIT_BUY, icebergQty="0.1")
    assert iceberg["icebergQty"] == "0.10000000"
    found = await ask(exchange, "GET", "/order", **BTC, orderId=iceberg["orderId"])
    assert (found["icebergQty"], found["origQty"]) == ("0.10000000", "0.50000000")
    pegged = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}
    placed = await ask(exchange, "POST", "/order", **pegged, pegPriceType="PRIMARY_PEG")
    assert (placed["pegPriceType"], placed["peggedPrice"]) == ("PRIMARY_PEG", "50000.00000000")
    for mode in ("DECREMENT", "TRANSFER"):
        sale = limit_order("SELL", "50000", "0.05", selfTradePreventionMode=mode)
        taken = await ask(exchange, "POST", "/order", **sale)
        assert taken["status"] == "EXPIRED_IN_MATCH"
        assert taken["preventedQuantity"] == "0.05000000"
        assert len(taken["preventedMatches"]) == 1
    found = await ask(exchange, "GET", "/order", **BTC, orderId=iceberg["orderId"])
    assert (found["status"], found["preventedQuantity"]) == ("NEW", "0.10000000")


async def test_a_taker_that_rests_tells_each_decrement_once_and_all_it_lost(exchange: OrderExchange) -> None:
    for quantity in ("0.1", "0.02"):
        await ask(exchange, "POST", "/order", **limit_order("SELL", "60000", quantity))
    bought = limit_order("BUY", "60000", "0.15", selfTradePreventionMode="DECREMENT")
    taken = await ask(exchange, "POST", "/order", **bought)
    assert taken["status"] == "NEW"
    assert [one["takerPreventedQuantity"] for one in taken["preventedMatches"]] == [
        "0.10000000",
        "0.02000000",
    ]
    found = await ask(exchange, "GET", "/order", **BTC, orderId=taken["orderId"])
    assert taken["preventedQuantity"] == found["preventedQuantity"] == "0.12000000"
    assert taken["preventedMatchId"] == found["preventedMatchId"]


PARTS = str(ICEBERG_PARTS_MAX)


@pytest.mark.parametrize(
    ("order", "code", "text"),
    [
        ({**STOP, "price": "58000"}, -1102,
         "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!"),
        ({**STOP, "stopPrice": "59000"}, -1102,
         "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        ({**STOP, "price": "58000", "stopPrice": "59000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({**STOP, "price": "58000", "stopPrice": "61000"}, -2010, "Order would trigger immediately."),
        ({**STOP, "price": "58000", "trailingDelta": TRAILING_BIPS_MAX + 1}, -1013,
         "Filter failure: TRAILING_DELTA"),
        ({**BTC, "side": "SELL", "type": "STOP_LOSS", "quantity": "1", "stopPrice": "1", "price": "1"}, -1106,
         "Parameter 'price' sent when not required."),
        ({**LIMIT_BUY, "trailingDelta": "100"}, -1106, "Parameter 'trailingDelta' sent when not required."),
        ({**LIMIT_BUY, "icebergQty": "0.5"}, -2010, "IcebergQty exceeds QTY."),
        ({**LIMIT_BUY, "icebergQty": "0.1", "timeInForce": "IOC"}, -2010, "Unsupported order combination"),
        ({**LIMIT_BUY, "icebergQty": "0.001"}, -1013, "Filter failure: ICEBERG_PARTS"),
        ({**LIMIT_BUY, "pegPriceType": "PRIMARY_PEG"}, -1106, "Parameter 'price' sent when not required."),
        ({**BTC, "side": "BUY", "type": "MARKET", "quantity": "1", "pegPriceType": "MARKET_PEG"}, -2010,
         "This order type may not use pegged price."),
        ({**BTC, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "1", "pegPriceType": "MARKET_PEG"}, -2010,
         "This price peg cannot be used with this order type."),
        ({**LIMIT_BUY, "pegOffsetType": "PRICE_LEVEL"}, -1128, "Combination of optional parameters invalid."),
    ],
)  # fmt: skip
@covers("filter ICEBERG_PARTS", "filter TRAILING_DELTA", "-1013", "-1106")
async def test_what_breaks_a_rule_is_refused_verbatim(
    exchange: OrderExchange, order: dict[str, object], code: int, text: str
) -> None:
    await trade_at(exchange, "60000")
    assert await refusal(exchange, "POST", "/order", **order) == (code, text)
    assert await ask(exchange, "GET", "/openOrders", **BTC) == []


@covers("filter MAX_NUM_ALGO_ORDERS", "filter MAX_NUM_ICEBERG_ORDERS")
async def test_the_counts_that_the_filters_tell_are_kept(exchange: OrderExchange) -> None:
    await trade_at(exchange, "60000")
    filters = (await ask(exchange, "GET", "/myFilters", **BTC))["symbolFilters"]
    rules = {one["filterType"]: one for one in filters}
    stop = {**BTC, "side": "SELL", "type": "STOP_LOSS", "quantity": "0.001", "stopPrice": "50000"}
    iceberg = limit_order("BUY", "50000", "0.002", icebergQty="0.001")
    for name, field, order in (
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", stop),
        ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", iceberg),
    ):
        for _ in range(rules[name][field]):
            await ask(exchange, "POST", "/order", **order, newOrderRespType="ACK")
        assert await refusal(exchange, "POST", "/order", **order) == (-1013, f"Filter failure: {name}")
        await ask(exchange, "DELETE", "/openOrders", **BTC)


@covers("PUT /order/amend/keepPriority", "ws order.amend.keepPriority", "filter MAX_NUM_ORDER_AMENDS")
async def test_an_order_is_made_smaller_by_both_doors(exchange: OrderExchange) -> None:
    placed = await ask(exchange, "POST", "/order", **LIMIT_BUY, newClientOrderId="first")
    amend = {**BTC, "orderId": placed["orderId"]}
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        answer = await ask(
            exchange, "PUT", "/order/amend/keepPriority", **amend, newQty="0.4", newClientOrderId="second"
        )
        report, _ = await told(socket, 2)
    assert list(answer) == ["transactTime", "executionId", "amendedOrder"]
    amended = {"origClientOrderId": "first", "clientOrderId": "second", "qty": "0.40000000"}
    assert answer["amendedOrder"].items() >= {**amended, "executedQty": "0.00000000"}.items()
    assert report.items() >= {"x": "REPLACED", "X": "NEW", "c": "second", "C": "first"}.items()
    assert (report["q"], report["I"]) == ("0.40000000", answer["executionId"])
    async with connected(exchange) as socket:
        by_name = {**BTC, "origClientOrderId": "second", "newQty": "0.3"}
        reply = await socket.ask_signed("order.amend.keepPriority", ALICE, **by_name)
    assert (
        reply["result"]["amendedOrder"].items()
        >= {"origClientOrderId": "second", "qty": "0.30000000"}.items()
    )
    found = await ask(exchange, "GET", "/order", **BTC, orderId=placed["orderId"])
    assert (found["origQty"], found["price"]) == ("0.30000000", "50000.00000000")
    for quantity, text in (
        ("0.3", "The requested action would change no state; rejecting."),
        ("0.4", "Order amend (quantity increase) is not supported."),
    ):
        assert await refusal(exchange, "PUT", "/order/amend/keepPriority", **amend, newQty=quantity) == (
            -2038, text,
        )  # fmt: skip
    unknown = {**BTC, "orderId": 999, "newQty": "0.1"}
    assert await refusal(exchange, "PUT", "/order/amend/keepPriority", **unknown) == (
        -2038, "Unknown order sent.",
    )  # fmt: skip
    left = 29_000
    while (await exchange.request("PUT", "/order/amend/keepPriority", ALICE, **amend,
                                  newQty=f"0.{left:05d}")).status_code == 200:  # fmt: skip
        left -= 1
    assert 29_000 - left == 8, "ten in all"
    assert await refusal(exchange, "PUT", "/order/amend/keepPriority", **amend, newQty="0.1") == (
        -2038, "Filter failure: MAX_NUM_ORDER_AMENDS",
    )  # fmt: skip
