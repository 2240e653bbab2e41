"""Stops, trailing stops, icebergs, lists and amendments through unmodified ccxt and python-binance."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.e2e.ccxt_setup import ccxt_settings
from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader

with warnings.catch_warnings():
    # The library imports a name that websockets calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import Client
    from binance.base_client import BaseClient

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

SYMBOL = "ETHUSDT"
PAIR = "ETH/USDT"


@pytest.fixture
def other(sign_up: SignUp) -> Trader:
    """Somebody who moves the price by trading with himself at it."""
    return sign_up()


def trade_at(trader: Trader, price: str) -> None:
    order: dict[str, str] = {"symbol": SYMBOL, "quantity": "0.01", "price": price}
    sale = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
    trader.ask("POST", "/api/v3/order", **order, **sale)
    purchase = {"side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "selfTradePreventionMode": "NONE"}
    assert trader.ask("POST", "/api/v3/order", **order, **purchase)["status"] == "FILLED"


@pytest.fixture
def connect(exchange_url: str) -> Iterator[Callable[[Trader], ccxt.binance]]:
    clients: list[ccxt.binance] = []

    def make(trader: Trader) -> ccxt.binance:
        clients.append(ccxt.binance(ccxt_settings(exchange_url, trader.credentials)))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


@pytest.fixture
def binance(exchange_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Trader], Client]]:
    """python-binance; it wants an event loop even for its synchronous client, and never closes it."""
    monkeypatch.setattr(BaseClient, "API_URL", f"{exchange_url}/api")
    monkeypatch.setattr(BaseClient, "MARGIN_API_URL", f"{exchange_url}/sapi")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    clients: list[Client] = []

    def make(trader: Trader) -> Client:
        clients.append(Client(trader.credentials.api_key, trader.credentials.secret_key))
        return clients[-1]

    yield make
    for client in clients:
        client.close_connection()
    loop.close()
    asyncio.set_event_loop(None)


def test_ccxt_places_stops_that_go_to_work(
    connect: Callable[[Trader], ccxt.binance], sign_up: SignUp, other: Trader
) -> None:
    client = connect(sign_up())
    client.load_markets()
    trade_at(other, "3000")
    stop = client.create_order(PAIR, "limit", "sell", 0.5, 2_890, {"stopLossPrice": 2_900})
    profit = client.create_order(PAIR, "market", "sell", 0.25, None, {"takeProfitPrice": 3_100})
    follow = {"trailingPercent": 10, "stopLossOrTakeProfit": "stopLoss"}
    trailing = client.create_order(PAIR, "market", "sell", 0.25, None, follow)
    iceberg = client.create_order(PAIR, "limit", "buy", 1, 2_500, {"icebergQty": 0.2})
    found = {order["id"]: order for order in client.fetch_open_orders(PAIR)}
    assert set(found) == {order["id"] for order in (stop, profit, trailing, iceberg)}
    assert (found[stop["id"]]["triggerPrice"], found[stop["id"]]["status"]) == (2_900, "open")
    assert Decimal(str(client.fetch_balance()["ETH"]["used"])) == 1
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(PAIR, "limit", "sell", 0.5, 3_300, {"stopLossPrice": 3_200})
    # The price falls below the stop, which rests at its limit then.
    trade_at(other, "2895")
    working = client.fetch_order(stop["id"], PAIR)
    assert (working["info"]["isWorking"], working["status"]) == (True, "open")
    assert client.fetch_order_book(PAIR)["asks"][0][:2] == [2_890, 0.5]
    assert client.cancel_order(stop["id"], PAIR)["status"] == "canceled"


def test_ccxt_places_and_cancels_an_oco(
    connect: Callable[[Trader], ccxt.binance], sign_up: SignUp, other: Trader
) -> None:
    client = connect(sign_up())
    client.load_markets()
    trade_at(other, "3000")
    placed: Any = client.private_post_orderlist_oco(
        {
            **{"symbol": SYMBOL, "side": "SELL", "quantity": "0.5"},
            **{"aboveType": "LIMIT_MAKER", "abovePrice": "3300"},
            **{"belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "2900", "belowPrice": "2890"},
            "belowTimeInForce": "GTC",
        }
    )
    assert placed["contingencyType"] == "OCO"
    ids = [str(one["orderId"]) for one in placed["orders"]]
    assert {order["id"] for order in client.fetch_open_orders(PAIR)} == set(ids)
    assert Decimal(str(client.fetch_balance()["ETH"]["used"])) == Decimal("0.5"), "it holds once"
    # Half of the upper one is bought: the lower one ends.
    other.ask(
        "POST", "/api/v3/order", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="IOC", quantity="0.25",
        price="3300",
    )  # fmt: skip
    above, below = (client.fetch_order(order_id, PAIR) for order_id in ids)
    assert (above["filled"], above["status"]) == (0.25, "open")
    assert (below["status"], below["info"]["expiryReason"]) == ("expired", "OCO_TRIGGER")


def test_python_binance_places_asks_for_and_cancels_lists(
    binance: Callable[[Trader], Client], sign_up: SignUp, other: Trader
) -> None:
    client = binance(sign_up())
    trade_at(other, "3000")
    oco = client.create_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.5", aboveType="LIMIT_MAKER", abovePrice="3300.00",
        belowType="STOP_LOSS", belowStopPrice="2900.00",
    )  # fmt: skip
    assert [report["type"] for report in oco["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
    assert [order["status"] for order in client.get_open_orders(symbol=SYMBOL)] == ["NEW", "NEW"]
    assert [one["orderListId"] for one in client.get_open_oco_orders()] == [oco["orderListId"]]
    cancelled = client.v3_delete_order_list(symbol=SYMBOL, orderListId=oco["orderListId"])
    assert cancelled["listOrderStatus"] == "ALL_DONE"
    otoco = client.v3_post_order_list_otoco(
        symbol=SYMBOL, workingType="LIMIT", workingSide="BUY", workingPrice="2990.00", workingQuantity="0.5",
        workingTimeInForce="GTC", pendingSide="SELL", pendingQuantity="0.4", pendingAboveType="LIMIT_MAKER",
        pendingAbovePrice="3300.00", pendingBelowType="STOP_LOSS", pendingBelowStopPrice="2900.00",
    )  # fmt: skip
    statuses = [order["status"] for order in client.get_open_orders(symbol=SYMBOL)]
    assert statuses == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    other.ask(
        "POST", "/api/v3/order", symbol=SYMBOL, side="SELL", type="LIMIT", timeInForce="IOC", quantity="0.5",
        price="2990",
    )  # fmt: skip
    orders = [client.get_order(symbol=SYMBOL, orderId=one["orderId"]) for one in otoco["orders"]]
    assert [(order["status"], order["isWorking"]) for order in orders] == [
        ("FILLED", True),
        ("NEW", True),
        ("NEW", False),
    ]
    lists = client.v3_get_all_order_list()
    assert [one["orderListId"] for one in lists] == [oco["orderListId"], otoco["orderListId"]]


def test_python_binance_stops_and_amends(
    binance: Callable[[Trader], Client], sign_up: SignUp, other: Trader
) -> None:
    client = binance(sign_up())
    trade_at(other, "3000")
    stop = client.create_order(
        symbol=SYMBOL, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="0.5",
        price="2890.00", stopPrice="2900.00",
    )  # fmt: skip
    found = client.get_order(symbol=SYMBOL, orderId=stop["orderId"])
    assert (found["status"], found["stopPrice"]) == ("NEW", "2900.00000000")
    bid = client.order_limit_buy(symbol=SYMBOL, quantity="1", price="2800.00")
    # This version has no name of its own for amendments.
    change = {"symbol": SYMBOL, "orderId": bid["orderId"], "newQty": "0.6"}
    amended = client._request_api("put", "order/amend/keepPriority", signed=True, data=change)
    assert amended["amendedOrder"]["qty"] == "0.60000000"
    question = {"symbol": SYMBOL, "orderId": bid["orderId"]}
    (row,) = client._request_api("get", "order/amendments", signed=True, data=question)
    assert (row["origQty"], row["newQty"], row["executionId"]) == (
        "1.00000000",
        "0.60000000",
        amended["executionId"],
    )
