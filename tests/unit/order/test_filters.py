"""Filters that change while a market trades, by both doors: who breaks one is told its name (ADR 0045)."""

from typing import Any

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.events import CommandRejected
from exchange.contracts.filter_commands import SetFilter
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.ws_client import WsClient, connected

ONE, LOT, TICK = 10**8, 1_000, 1_000_000
BTC, USDT, BTCUSDT = 1, 3, 1
SYMBOL = {"symbol": "BTCUSDT"}
STOP = {**SYMBOL, "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01"}


async def change(exchange: OrderExchange, kind: int, *values: int, asset: int = 0) -> None:
    """One filter, of BTCUSDT where it is a market's."""
    market = BTCUSDT if kind <= codes.FILTER_MAX_POSITION else 0
    (outcome,) = exchange.stream.apply(SetFilter(5, kind, market, asset, *(*values, 0, 0, 0, 0)[:4]))
    assert not isinstance(outcome.events[0].event, CommandRejected)
    await exchange.publish()


async def refused_by_both(exchange: OrderExchange, socket: WsClient, name: str, **order: object) -> None:
    told = {"code": -1013, "msg": f"Filter failure: {name}"}
    answer = await exchange.request("POST", "/order", ALICE, **order)
    assert (answer.status_code, answer.json()) == (400, told)
    reply = await socket.ask_signed("order.place", ALICE, **order)
    assert (reply["status"], reply["error"]) == (400, told)


async def taken(exchange: OrderExchange, **order: object) -> dict[str, Any]:
    answer = await exchange.request("POST", "/order", ALICE, **{"newOrderRespType": "RESULT", **order})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def shown(exchange: OrderExchange) -> dict[str, dict[str, Any]]:
    """Every filter of myFilters by its name."""
    answer = (await exchange.request("GET", "/myFilters", ALICE, **SYMBOL)).json()
    return {one["filterType"]: one for part in answer.values() for one in part}


@covers("filter MIN_NOTIONAL", "filter PERCENT_PRICE")
async def test_what_a_price_and_a_worth_may_be(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "1"))
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.01"))
    await change(exchange, codes.FILTER_MIN_NOTIONAL, 100 * ONE, 1)
    await change(exchange, codes.FILTER_PERCENT_PRICE, 1_010_000, 990_000)
    filters = await shown(exchange)
    assert filters["MIN_NOTIONAL"] == {
        "filterType": "MIN_NOTIONAL", "minNotional": "100.00000000", "applyToMarket": True, "avgPriceMins": 5,
    }  # fmt: skip
    assert filters["PERCENT_PRICE"]["multiplierDown"] == "0.990000"
    market = {**SYMBOL, "side": "BUY", "type": "MARKET"}
    async with connected(exchange) as socket:
        await refused_by_both(exchange, socket, "MIN_NOTIONAL", **limit_order("BUY", "49999", "0.002"))
        await refused_by_both(exchange, socket, "MIN_NOTIONAL", **market, quantity="0.0019")
        await refused_by_both(exchange, socket, "MIN_NOTIONAL", **market, quoteOrderQty="99.9")
        await refused_by_both(exchange, socket, "PERCENT_PRICE", **limit_order("BUY", "49499", "1"))
        await refused_by_both(exchange, socket, "PERCENT_PRICE", **limit_order("SELL", "50501", "1"))
    assert (await taken(exchange, **limit_order("BUY", "49500", "0.01")))["status"] == "NEW"
    await change(exchange, codes.FILTER_MIN_NOTIONAL, 0, 0)
    assert "MIN_NOTIONAL" not in await shown(exchange)
    assert (await taken(exchange, **limit_order("BUY", "49500", "0.001")))["status"] == "NEW"


@covers("filter MAX_POSITION", "filter MAX_ASSET")
async def test_how_much_one_may_have_and_move(exchange: OrderExchange) -> None:
    answer = (await exchange.request("GET", "/account", ALICE)).json()
    (has,) = [float(row["free"]) for row in answer["balances"] if row["asset"] == "BTC"]
    await change(exchange, codes.FILTER_MAX_POSITION, int(has + 1) * ONE)
    await change(exchange, codes.FILTER_MAX_ASSET, 60_000 * ONE, asset=USDT)
    filters = await shown(exchange)
    assert filters["MAX_POSITION"]["maxPosition"] == f"{int(has + 1)}.00000000"
    assert filters["MAX_ASSET"] == {"filterType": "MAX_ASSET", "asset": "USDT", "limit": "60000.00000000"}
    async with connected(exchange) as socket:
        await refused_by_both(exchange, socket, "MAX_POSITION", **limit_order("BUY", "50000", "1.00001"))
        await taken(exchange, **limit_order("BUY", "50000", "0.6"))
        await refused_by_both(exchange, socket, "MAX_POSITION", **limit_order("BUY", "50000", "0.41"))
        await refused_by_both(exchange, socket, "MAX_ASSET", **limit_order("SELL", "60001", "1"))
    assert (await taken(exchange, **limit_order("SELL", "60000", "1")))["status"] == "NEW"


@covers(
    "filter EXCHANGE_MAX_NUM_ORDERS",
    "filter EXCHANGE_MAX_NUM_ALGO_ORDERS",
    "filter EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
    "filter EXCHANGE_MAX_NUM_ORDER_LISTS",
)
async def test_how_many_orders_one_may_have_in_all_markets(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "0.01"))
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.01"))
    for kind, most in (
        (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 5),
        (codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS, 1),
        (codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS, 1),
        (codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS, 1),
    ):
        await change(exchange, kind, most)
    answer = (await exchange.request("GET", "/myFilters", ALICE, **SYMBOL)).json()
    assert answer["exchangeFilters"] == [
        {"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 5},
        {"filterType": "EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 1},
        {"filterType": "EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 1},
        {"filterType": "EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 1},
    ]
    iceberg = limit_order("SELL", "51000", "0.1", icebergQty="0.02")
    oto: dict[str, object] = {
        **SYMBOL, "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "40000",
        "workingQuantity": "0.01", "workingTimeInForce": "GTC", "pendingType": "LIMIT_MAKER",
        "pendingSide": "SELL", "pendingPrice": "60000", "pendingQuantity": "0.01",
    }  # fmt: skip
    await taken(exchange, **STOP, stopPrice="49000")
    await taken(exchange, **iceberg)
    assert (await exchange.request("POST", "/orderList/oto", ALICE, **oto)).status_code == 200
    async with connected(exchange) as socket:
        await refused_by_both(exchange, socket, "EXCHANGE_MAX_NUM_ALGO_ORDERS", **STOP, stopPrice="48000")
        await refused_by_both(exchange, socket, "EXCHANGE_MAX_NUM_ICEBERG_ORDERS", **iceberg)
        told = {"code": -1013, "msg": "Filter failure: EXCHANGE_MAX_NUM_ORDERS"}
        assert (await exchange.request("POST", "/orderList/oto", ALICE, **oto)).json() == told
        await change(exchange, codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 9)
        told["msg"] = "Filter failure: EXCHANGE_MAX_NUM_ORDER_LISTS"
        assert (await exchange.request("POST", "/orderList/oto", ALICE, **oto)).json() == told
        assert (await socket.ask_signed("orderList.place.oto", ALICE, **oto))["error"] == told
        await change(exchange, codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 4)
        small = limit_order("BUY", "40000", "0.01")
        await refused_by_both(exchange, socket, "EXCHANGE_MAX_NUM_ORDERS", **small)


@pytest.mark.parametrize("path", ["/order", "/order/test"])
async def test_steps_and_bounds_of_one_s_own_are_kept_by_tests_of_orders_too(
    exchange: OrderExchange, path: str
) -> None:
    """The view refuses by the newest values what needs no engine, so a test of an order is told the same."""
    await exchange.request("POST", "/order", BOB, **limit_order("SELL", "50000", "0.1"))
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.01"))
    await change(exchange, codes.FILTER_PRICE, 1, 10**8, 500)
    await change(exchange, codes.FILTER_LOT_SIZE, 100, 10**8, 100)
    await change(exchange, codes.FILTER_MARKET_LOT_SIZE, 1_000, 10_000, 1_000)
    await change(exchange, codes.FILTER_MIN_NOTIONAL, 20 * ONE, 1)
    await change(exchange, codes.FILTER_NOTIONAL, 10 * ONE, 0, 10**6 * ONE, 0)
    await change(exchange, codes.FILTER_ICEBERG_PARTS, 4)
    await change(exchange, codes.FILTER_TRAILING_DELTA, 100, 200, 300, 400)
    filters = await shown(exchange)
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == (
        "5.00000000",
        "0.00100000",
    )
    assert filters["MARKET_LOT_SIZE"]["minQty"] == "0.01000000"
    assert filters["NOTIONAL"]["applyMinToMarket"] is False
    assert filters["TRAILING_DELTA"]["minTrailingBelowDelta"] == 300
    market = {**SYMBOL, "side": "SELL", "type": "MARKET"}
    trailing = {**STOP, "trailingDelta": 250}
    for name, order in (
        ("PRICE_FILTER", limit_order("BUY", "50001", "0.01")),
        ("PRICE_FILTER", {**STOP, "stopPrice": "49999"}),
        ("LOT_SIZE", limit_order("BUY", "50000", "0.0105")),
        ("LOT_SIZE", limit_order("BUY", "50000", "0.01", icebergQty="0.0025")),
        ("MARKET_LOT_SIZE", {**market, "quantity": "0.015"}),
        ("MARKET_LOT_SIZE", {**market, "quantity": "0.009"}),
        ("MIN_NOTIONAL", {**market, "quoteOrderQty": "19.99"}),
        ("ICEBERG_PARTS", limit_order("BUY", "50000", "0.01", icebergQty="0.002")),
        ("TRAILING_DELTA", trailing),
        ("TRAILING_DELTA", {**trailing, "side": "BUY"}),
    ):
        answer = await exchange.request("POST", path, ALICE, **order)
        assert answer.json() == {"code": -1013, "msg": f"Filter failure: {name}"}, order
    for order in (
        limit_order("BUY", "49995", "0.011", icebergQty="0.003"),
        {**market, "quantity": "0.01"},
        {**STOP, "trailingDelta": 300},
        {**STOP, "side": "BUY", "trailingDelta": 200},
    ):
        answer = await exchange.request("POST", path, ALICE, **order)
        assert answer.status_code == 200, (order, answer.text)


async def test_orders_of_a_market_that_ends_are_told_as_the_exchange_s_cancels(
    exchange: OrderExchange,
) -> None:
    placed = await taken(exchange, **limit_order("BUY", "50000", "0.01"))
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        exchange.stream.apply(SetTradingMode(5, BTCUSDT, codes.MODE_RETIRED))
        await exchange.publish()
        reports = [(await socket.hear())["event"] for _ in range(2)]
        (report,) = [event for event in reports if event["e"] == "executionReport"]
        assert (report["x"], report["X"], report["i"]) == ("EXPIRED", "EXPIRED", placed["orderId"])
    found = (await exchange.request("GET", "/order", ALICE, **SYMBOL, orderId=placed["orderId"])).json()
    assert (found["status"], found["expiryReason"]) == ("EXPIRED", "EXCHANGE_CANCELED")
    answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.01"))
    assert answer.json() == {"code": -1013, "msg": "Market is closed."}
    balances = (await exchange.request("GET", "/account", ALICE)).json()["balances"]
    assert {row["locked"] for row in balances} == {"0.00000000"}
