"""Placing, cancelling and replacing orders over REST: effects and shapes of the answers."""

import pytest
from prometheus_client import REGISTRY

from exchange.contracts.commands import SetTradingMode
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order, running_exchange

RESULT_KEYS = {
    "symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty", "executedQty",
    "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime",
    "selfTradePreventionMode",
}  # fmt: skip


@pytest.mark.parametrize("in_body", [False, True])
async def test_limit_order_rests_and_is_answered_in_full(exchange: OrderExchange, in_body: bool) -> None:
    ask = exchange.request_in_body if in_body else exchange.request
    answer = await ask(
        "POST", "/order", ALICE, **limit_order("BUY", "50000.0", "0.1", newClientOrderId="mine-1")
    )
    assert answer.status_code == 200
    order = answer.json()
    assert set(order) == RESULT_KEYS | {"fills"}
    assert order["price"] == "50000.00000000"
    assert order["origQty"] == "0.10000000"
    assert order["executedQty"] == order["cummulativeQuoteQty"] == "0.00000000"
    assert (order["status"], order["fills"], order["clientOrderId"]) == ("NEW", [], "mine-1")
    assert answer.headers["x-mbx-used-weight-1m"] == "0"
    assert answer.headers["x-mbx-order-count-10s"] == answer.headers["x-mbx-order-count-1d"] == "1"
    assert answer.headers["content-type"].startswith("application/json")


async def test_taker_sees_its_fills_with_commission_in_what_it_received(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.5"))
    answer = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50001", "1"))
    order = answer.json()
    assert order["status"] == "PARTIALLY_FILLED"
    assert order["executedQty"] == "0.50000000"
    assert order["cummulativeQuoteQty"] == "25000.00000000"
    assert order["fills"] == [
        {
            "price": "50000.00000000",
            "qty": "0.50000000",
            "commission": "0.00050000",
            "commissionAsset": "BTC",
            "tradeId": 1,
        }
    ]
    account = (await exchange.request("GET", "/account", BOB)).json()
    balances = {row["asset"]: (row["free"], row["locked"]) for row in account["balances"]}
    assert balances["BTC"] == ("10.49950000", "0.00000000")
    assert balances["USDT"] == ("949999.50000000", "25000.50000000")


@pytest.mark.parametrize(("form", "keys"), [("ACK", 5), ("RESULT", 16), ("FULL", 17)])
async def test_response_type_decides_the_keys(exchange: OrderExchange, form: str, keys: int) -> None:
    answer = await exchange.request(
        "POST", "/order", ALICE, **limit_order("BUY", "100000", "0.1", newOrderRespType=form)
    )
    assert len(answer.json()) == keys


@covers("type LIMIT_MAKER")
async def test_limit_maker_is_acknowledged_only_and_refused_when_it_would_take(
    exchange: OrderExchange,
) -> None:
    maker = {"symbol": "BTCUSDT", "type": "LIMIT_MAKER", "side": "SELL", "price": "50000", "quantity": "1"}
    answer = await exchange.request("POST", "/order", ALICE, **maker)
    assert len(answer.json()) == 5
    refused = await exchange.request("POST", "/order", BOB, **{**maker, "side": "BUY"})
    assert refused.status_code == 400
    assert refused.json() == {"code": -2010, "msg": "Order would immediately match and take."}


@covers("parameter quoteOrderQty")
async def test_market_order_by_quote_spends_at_most_that(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    answer = await exchange.request(
        "POST", "/order", BOB, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="1000"
    )
    order = answer.json()
    assert (order["status"], order["type"], order["price"]) == ("FILLED", "MARKET", "0.00000000")
    assert order["executedQty"] == "0.02000000"
    assert order["origQuoteOrderQty"] == "1000.00000000"


async def test_market_order_that_empties_the_book_expires(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.5"))
    order = (
        await exchange.request(
            "POST", "/order", BOB, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1"
        )
    ).json()
    assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.50000000")
    assert order["expiryReason"] == "INSUFFICIENT_LIQUIDITY"


async def test_cancel_names_both_the_order_and_the_cancellation(exchange: OrderExchange) -> None:
    placed = (
        await exchange.request(
            "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="a")
        )
    ).json()
    answer = await exchange.request_in_body(
        "DELETE",
        "/order",
        ALICE,
        symbol="BTCUSDT",
        origClientOrderId="a",
        newClientOrderId="stop-it",
    )
    canceled = answer.json()
    assert set(canceled) == RESULT_KEYS - {"workingTime"} | {"origClientOrderId"}
    assert (canceled["orderId"], canceled["status"]) == (placed["orderId"], "CANCELED")
    assert (canceled["origClientOrderId"], canceled["clientOrderId"]) == ("a", "stop-it")
    status = (
        await exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", orderId=placed["orderId"])
    ).json()
    assert (status["status"], status["clientOrderId"]) == ("CANCELED", "a")
    again = await exchange.request("DELETE", "/order", ALICE, symbol="BTCUSDT", orderId=placed["orderId"])
    assert (again.status_code, again.json()) == (400, {"code": -2011, "msg": "Unknown order sent."})


@covers("parameter cancelRestrictions", "-1145")
async def test_cancel_restrictions_are_obeyed(exchange: OrderExchange) -> None:
    order_id = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()[
        "orderId"
    ]
    refused = await exchange.request(
        "DELETE",
        "/order",
        ALICE,
        symbol="BTCUSDT",
        orderId=order_id,
        cancelRestrictions="ONLY_PARTIALLY_FILLED",
    )
    assert refused.json() == {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
    bad = await exchange.request(
        "DELETE", "/order", ALICE, symbol="BTCUSDT", orderId=order_id, cancelRestrictions="X"
    )
    assert bad.json()["code"] == -1145


async def test_cancel_all_cancels_one_market_only(exchange: OrderExchange) -> None:
    for price in ("50000", "50001"):
        await exchange.request("POST", "/order", ALICE, **limit_order("BUY", price, "0.1"))
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "2000", "1", symbol="ETHUSDT"))
    canceled = (await exchange.request("DELETE", "/openOrders", ALICE, symbol="BTCUSDT")).json()
    assert [row["price"] for row in canceled] == ["50000.00000000", "50001.00000000"]
    left = (await exchange.request("GET", "/openOrders", ALICE)).json()
    assert [row["symbol"] for row in left] == ["ETHUSDT"]
    nothing = await exchange.request("DELETE", "/openOrders", ALICE, symbol="BTCUSDT")
    assert nothing.json() == {"code": -2011, "msg": "Unknown order sent."}


async def test_another_users_order_can_be_neither_seen_nor_canceled(exchange: OrderExchange) -> None:
    order_id = (
        await exchange.request(
            "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="hers")
        )
    ).json()["orderId"]
    for name in ({"orderId": order_id}, {"origClientOrderId": "hers"}):
        seen = await exchange.request("GET", "/order", BOB, symbol="BTCUSDT", **name)
        assert seen.json() == {"code": -2013, "msg": "Order does not exist."}
        canceled = await exchange.request("DELETE", "/order", BOB, symbol="BTCUSDT", **name)
        assert canceled.json() == {"code": -2011, "msg": "Unknown order sent."}
    assert (await exchange.request("GET", "/openOrders", BOB)).json() == []
    assert len((await exchange.request("GET", "/openOrders", ALICE)).json()) == 1


@covers("-2039")
async def test_ids_that_disagree_are_refused(exchange: OrderExchange) -> None:
    order_id = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()[
        "orderId"
    ]
    names = {"symbol": "BTCUSDT", "orderId": order_id, "origClientOrderId": "other"}
    assert (await exchange.request("GET", "/order", ALICE, **names)).json()["code"] == -2039
    assert (await exchange.request("DELETE", "/order", ALICE, **names)).json()["code"] == -2011


async def test_engine_refusals_become_binance_errors(exchange: OrderExchange) -> None:
    poor = await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "11"))
    assert poor.status_code == 400
    assert poor.json() == {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    await exchange.request(
        "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="once")
    )
    twice = await exchange.request(
        "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="once")
    )
    assert twice.json() == {"code": -2010, "msg": "Duplicate order sent."}
    exchange.stream.apply(SetTradingMode(0, 0, 1))
    await exchange.publish()
    closed = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    assert closed.json() == {"code": -1013, "msg": "Market is closed."}


@pytest.mark.parametrize("code", ["-1000", "-1001", "-1006", "-1007"])
async def test_errors_of_ours_are_shown_before_the_first_happens(exchange: OrderExchange, code: str) -> None:
    for endpoint in ("order.place", "order.cancel", "account.status"):
        labels = {"endpoint": endpoint, "code": code}
        assert REGISTRY.get_sample_value("exchange_order_errors_total", labels) is not None, endpoint


async def test_cancel_replace_does_both(exchange: OrderExchange) -> None:
    old = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()[
        "orderId"
    ]
    answer = await exchange.request(
        "POST", "/order/cancelReplace", ALICE,
        **limit_order("BUY", "50002", "1", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=old),
    )  # fmt: skip
    body = answer.json()
    assert (answer.status_code, body["cancelResult"], body["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
    assert body["cancelResponse"]["orderId"] == old
    assert body["newOrderResponse"]["price"] == "50002.00000000"


@covers("-2021", "-2022", "parameter cancelReplaceMode")
async def test_cancel_replace_failures_follow_the_table(exchange: OrderExchange) -> None:
    async def replace(**more: object) -> tuple[int, dict[str, object]]:
        answer = await exchange.request(
            "POST", "/order/cancelReplace", ALICE, **limit_order("BUY", "50002", "1", **more)
        )
        return answer.status_code, answer.json()

    status, body = await replace(cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=999)
    assert (status, body["code"]) == (400, -2022)
    assert body["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
        "newOrderResponse": None,
    }
    status, body = await replace(cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=999)
    assert (status, body["code"]) == (409, -2021)
    status, body = await replace(cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=999, quantity="9000")
    assert (status, body["code"]) == (400, -1013), "filters are checked before either step"
    status, body = await replace(cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=999, quantity="100")
    assert (status, body["code"]) == (400, -2022)


async def test_order_test_checks_and_changes_nothing(exchange: OrderExchange) -> None:
    assert (
        await exchange.request("POST", "/order/test", ALICE, **limit_order("BUY", "50000", "1"))
    ).json() == {}
    rates = await exchange.request(
        "POST", "/order/test", ALICE, **limit_order("BUY", "50000", "1", computeCommissionRates="true")
    )
    assert rates.json()["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}
    bad = await exchange.request("POST", "/order/test", ALICE, **limit_order("BUY", "50000.001", "1"))
    assert bad.json() == {"code": -1013, "msg": "Filter failure: PRICE_FILTER"}
    assert exchange.commands == []


@covers("-1007")
async def test_silent_engine_means_execution_unknown() -> None:
    async with running_exchange(command_deadline_ms=50) as exchange:
        exchange.is_engine_away = True
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
        assert answer.status_code == 504
        assert answer.json()["code"] == -1007


@covers("-1008")
async def test_too_many_waiting_commands_are_refused_at_once() -> None:
    async with running_exchange(commands_waiting_max=0) as exchange:
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
        assert (answer.status_code, answer.json()["code"]) == (503, -1008)


async def test_microseconds_are_given_when_asked_for(exchange: OrderExchange) -> None:
    headers = {"X-MBX-TIME-UNIT": "microsecond"}
    order = (
        await exchange.request("POST", "/order", ALICE, headers, **limit_order("BUY", "50000", "1"))
    ).json()
    assert order["transactTime"] > 10**15
    bad = await exchange.request("GET", "/account", ALICE, {"X-MBX-TIME-UNIT": "hours"})
    assert bad.json()["code"] == -1194


async def test_self_trade_is_prevented_by_expiring_the_maker_by_default(exchange: OrderExchange) -> None:
    first = (await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))).json()
    second = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))).json()
    assert (second["status"], second["selfTradePreventionMode"]) == ("NEW", "EXPIRE_MAKER")
    status = (
        await exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", orderId=first["orderId"])
    ).json()
    assert status["status"] == "EXPIRED_IN_MATCH"
