"""binance-connector as it is: REST and the WebSocket API; a stop, lists, and its error classes."""

import json
import queue
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bench import Account, Exchange

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("binance.spot")
pytestmark = pytest.mark.slow

SYMBOL = "BTCUSDT"


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account."""
    return exchange.account(BTC=1, USDT=200_000)


@pytest.fixture
def client(exchange: Exchange, account: Account) -> Any:
    """What the bot trades with."""
    return exchange.clients.binance_connector(account)


def price_now(client: Any) -> int:
    """The last price, in whole dollars."""
    return int(Decimal(client.ticker_price(SYMBOL)["price"]))


def test_it_trades_and_asks(client: Any) -> None:
    bought = client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.5")
    assert (bought["status"], Decimal(bought["executedQty"])) == ("FILLED", Decimal("0.5"))
    stop = client.new_order(
        symbol=SYMBOL, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="0.1",
        price=str(price_now(client) - 5_100), stopPrice=str(price_now(client) - 5_000),
    )  # fmt: skip
    (waiting,) = client.get_open_orders(SYMBOL)
    assert (waiting["orderId"], waiting["isWorking"]) == (stop["orderId"], False)
    assert client.cancel_order(SYMBOL, orderId=stop["orderId"])["status"] == "CANCELED"
    assert client.my_trades(SYMBOL)[0]["orderId"] == bought["orderId"]
    balances = {row["asset"]: Decimal(row["free"]) for row in client.account()["balances"]}
    assert balances["BTC"] > Decimal("1.49")


def test_it_places_lists(client: Any) -> None:
    last = price_now(client)
    oco = client.new_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.1", aboveType="LIMIT_MAKER", abovePrice=str(last + 5_000),
        belowType="STOP_LOSS", belowStopPrice=str(last - 5_000),
    )  # fmt: skip
    oto = client.new_oto_order(
        symbol=SYMBOL, workingType="LIMIT", workingSide="BUY", workingPrice=str(last - 4_000),
        workingQuantity="0.01", workingTimeInForce="GTC", pendingType="MARKET", pendingSide="SELL",
        pendingQuantity="0.01",
    )  # fmt: skip
    # It has no name of its own for lists that a purchase pays.
    opo = client.sign_request(
        "POST", "/api/v3/orderList/opo",
        {
            "symbol": SYMBOL, "workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC",
            "workingPrice": str(last - 4_000), "workingQuantity": "0.01", "pendingType": "MARKET",
            "pendingSide": "SELL",
        },
    )  # fmt: skip
    found = [one["orderListId"] for one in client.get_oco_open_orders()]
    assert found == [one["orderListId"] for one in (oco, oto, opo)]
    for number in found:
        assert client.cancel_oco_order(SYMBOL, orderListId=number)["listOrderStatus"] == "ALL_DONE"


def test_a_stop_is_triggered_and_told_of_by_a_listen_key(
    exchange: Exchange, account: Account, client: Any
) -> None:
    from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient

    told: queue.Queue[str] = queue.Queue()
    stream = SpotWebsocketStreamClient(
        stream_url=exchange.url.replace("http", "ws", 1), on_message=lambda _, message: told.put(message)
    )

    def report(status: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(told.get(timeout=60))
            if message.get("e") == "executionReport" and message["X"] == status:
                return message

    try:
        stream.user_data(client.new_listen_key()["listenKey"])
        # The answer to the subscription.
        assert json.loads(told.get(timeout=60))["result"] is None
        stop = client.new_order(
            symbol=SYMBOL, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="0.3",
            price="63000", stopPrice="64000",
        )  # fmt: skip
        assert report("NEW")["i"] == stop["orderId"]
        exchange.market(SYMBOL).walk_to(63_900)
        traded = report("FILLED")
        assert (traded["i"], Decimal(traded["z"])) == (stop["orderId"], Decimal("0.3"))
    finally:
        stream.stop()
    account.wait_for_fills(SYMBOL)
    assert client.get_order(SYMBOL, orderId=stop["orderId"])["status"] == "FILLED"
    balances = {row["asset"]: Decimal(row["free"]) for row in client.account()["balances"]}
    assert balances["BTC"] == Decimal("0.7")


@pytest.mark.parametrize(("target", "filled"), [(66_100, "LIMIT_MAKER"), (63_900, "STOP_LOSS")])
def test_one_side_of_a_list_ends_the_other(
    exchange: Exchange, account: Account, client: Any, target: int, filled: str
) -> None:
    placed = client.new_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.25", aboveType="LIMIT_MAKER", abovePrice="66000",
        belowType="STOP_LOSS", belowStopPrice="64000",
    )  # fmt: skip
    exchange.market(SYMBOL).walk_to(target)
    account.wait_for_fills(SYMBOL)
    legs = [client.get_order(SYMBOL, orderId=row["orderId"]) for row in placed["orders"]]
    found = {leg["type"]: leg["status"] for leg in legs}
    assert found.pop(filled) == "FILLED"
    assert set(found.values()) <= {"EXPIRED", "CANCELED"}
    assert client.get_oco_open_orders() == []
    assert client.get_oco_order(orderListId=placed["orderListId"])["listOrderStatus"] == "ALL_DONE"


def test_refusals_are_its_client_errors(exchange: Exchange, account: Account, client: Any) -> None:
    from binance.error import ClientError

    def refused(call: Any, *arguments: str, **parameters: str) -> tuple[int, int]:
        with pytest.raises(ClientError) as error:
            call(*arguments, **parameters)
        return error.value.status_code, error.value.error_code

    order = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "0.1"}
    assert refused(client.new_order, **{**order, "quantity": "50"}) == (400, -2010)
    assert refused(client.new_order, **{**order, "quantity": "0.00001"}) == (400, -1013)
    assert refused(client.new_order, **{**order, "type": "STOP_LOSS", "stopPrice": "70000"}) == (400, -2010)
    assert refused(client.new_order, **{**order, "symbol": "NOPE"}) == (400, -1121)
    assert refused(client.get_order, SYMBOL, orderId="987654321") == (400, -2013)
    assert refused(client.cancel_order, SYMBOL, orderId="987654321") == (400, -2011)
    stranger = exchange.clients.binance_connector(replace(account, secret_key="x" * 64))
    assert refused(stranger.account) == (400, -1022)


def test_the_websocket_api_places_and_cancels(exchange: Exchange, client: Any, account: Account) -> None:
    from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient

    told: queue.Queue[str] = queue.Queue()
    socket = SpotWebsocketAPIClient(
        stream_url=exchange.url.replace("http", "ws", 1) + "/ws-api/v3",
        api_key=account.api_key, api_secret=account.secret_key,
        on_message=lambda _, message: told.put(message),
    )  # fmt: skip
    try:
        socket.new_order(
            id="1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
            price=str(price_now(client) - 5_000), newOrderRespType="RESULT",
        )  # fmt: skip
        placed = json.loads(told.get(timeout=60))
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        socket.cancel_order(id="2", symbol=SYMBOL, orderId=placed["result"]["orderId"])
        assert json.loads(told.get(timeout=60))["result"]["status"] == "CANCELED"
    finally:
        socket.stop()
