"""What else bots on python-binance do: exits that the exchange keeps, told by sockets, and errors."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bench import Account, Exchange

with warnings.catch_warnings():
    # The client uses names of the websockets package that have newer ones.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import BinanceSocketManager, DepthCacheManager
    from binance.exceptions import BinanceAPIException
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SYMBOL = "BTCUSDT"
DEADLINE_S = 60


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account, which is long."""
    return exchange.account(BTC=1, USDT=100_000)


@pytest.fixture
def client(exchange: Exchange, account: Account) -> Iterator[Any]:
    """What the bot trades with. It wants an event loop although it waits for nothing."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    made = exchange.clients.python_binance(account)
    yield made
    made.close_connection()
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
async def connected(
    exchange: Exchange, account: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """The same, for those who wait."""
    # How long closing a quiet socket takes, in seconds.
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)
    made = await exchange.clients.python_binance_async(account)
    yield made
    await made.close_connection()


def test_a_stop_is_kept_by_the_exchange(exchange: Exchange, account: Account, client: Any) -> None:
    stop = client.create_order(
        symbol=SYMBOL, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="0.5",
        stopPrice="64000", price="63000",
    )  # fmt: skip
    (waiting,) = client.get_open_orders(symbol=SYMBOL)
    assert (waiting["orderId"], waiting["isWorking"]) == (stop["orderId"], False)
    exchange.market(SYMBOL).walk_to(63_900)
    account.wait_for_fills(SYMBOL)
    sold = client.get_order(symbol=SYMBOL, orderId=stop["orderId"])
    assert (sold["status"], Decimal(sold["executedQty"])) == ("FILLED", Decimal("0.5"))
    assert {row["orderId"] for row in client.get_my_trades(symbol=SYMBOL)} == {stop["orderId"]}
    assert Decimal(client.get_asset_balance("BTC")["free"]) == Decimal("0.5")


@pytest.mark.parametrize(("target", "filled"), [(66_100, "LIMIT_MAKER"), (63_900, "STOP_LOSS")])
def test_one_side_of_a_list_ends_the_other(
    exchange: Exchange, account: Account, client: Any, target: int, filled: str
) -> None:
    placed = client.create_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.25", aboveType="LIMIT_MAKER", abovePrice="66000",
        belowType="STOP_LOSS", belowStopPrice="64000",
    )  # fmt: skip
    assert [row["orderListId"] for row in client.get_open_oco_orders()] == [placed["orderListId"]]
    exchange.market(SYMBOL).walk_to(target)
    account.wait_for_fills(SYMBOL)
    legs = [client.get_order(symbol=SYMBOL, orderId=row["orderId"]) for row in placed["orders"]]
    found = {leg["type"]: leg["status"] for leg in legs}
    assert found.pop(filled) == "FILLED"
    assert set(found.values()) <= {"EXPIRED", "CANCELED"}
    assert len(found) == 1
    assert client.get_open_oco_orders() == []
    assert client.v3_get_order_list(orderListId=placed["orderListId"])["listOrderStatus"] == "ALL_DONE"


def test_a_purchase_brings_its_exits_along(exchange: Exchange, account: Account, client: Any) -> None:
    """OTOCO: buy below the market; once that is filled, a bracket around it."""
    placed = client.v3_post_order_list_otoco(
        symbol=SYMBOL, workingType="LIMIT", workingSide="BUY", workingTimeInForce="GTC",
        workingPrice="64500", workingQuantity="0.1", pendingSide="SELL", pendingQuantity="0.05",
        pendingAboveType="LIMIT_MAKER", pendingAbovePrice="66000", pendingBelowType="STOP_LOSS",
        pendingBelowStopPrice="63000",
    )  # fmt: skip
    exchange.market(SYMBOL).walk_to(64_400)
    account.wait_for_fills(SYMBOL)
    assert {row["type"] for row in client.get_open_orders(symbol=SYMBOL)} == {"LIMIT_MAKER", "STOP_LOSS"}
    exchange.market(SYMBOL).walk_to(66_100)
    fills = account.wait_for_fills(SYMBOL, 2)
    assert [(fill.side, fill.price) for fill in fills] == [
        ("BUY", Decimal(64_500)),
        ("SELL", Decimal(66_000)),
    ]
    assert client.get_open_orders(symbol=SYMBOL) == []
    assert client.v3_get_order_list(orderListId=placed["orderListId"])["listOrderStatus"] == "ALL_DONE"


def test_refusals_carry_their_codes(exchange: Exchange, account: Account, client: Any) -> None:
    def refused(call: Any, **parameters: str) -> int:
        with pytest.raises(BinanceAPIException) as error:
            call(**parameters)
        return int(error.value.code)

    order = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "0.1"}
    assert refused(client.create_order, **{**order, "quantity": "50"}) == -2010
    assert refused(client.create_order, **{**order, "quantity": "0.00001"}) == -1013
    assert refused(client.create_order, **{**order, "type": "STOP_LOSS", "stopPrice": "70000"}) == -2010
    assert refused(client.create_order, **{**order, "type": "LIMIT", "price": "70000"}) == -1102
    assert refused(client.create_order, **{**order, "symbol": "NOPE"}) == -1121
    assert refused(client.cancel_order, symbol=SYMBOL, orderId="987654321") == -2011
    assert refused(client.get_order, symbol=SYMBOL, orderId="987654321") == -2013
    bracket = {"symbol": SYMBOL, "side": "SELL", "quantity": "0.1", "aboveType": "LIMIT_MAKER"}
    wrong = {**bracket, "abovePrice": "60000", "belowType": "STOP_LOSS", "belowStopPrice": "59000"}
    assert refused(client.create_oco_order, **wrong) == -2010
    stranger = exchange.clients.python_binance(replace(account, secret_key="x" * 64))
    assert refused(stranger.get_account) == -1022


async def test_sockets_tell_of_a_stop_from_placing_to_its_trade(exchange: Exchange, connected: Any) -> None:
    async with BinanceSocketManager(connected).user_socket() as user:

        async def told(kind: str, **wanted: str) -> dict[str, Any]:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    message: dict[str, Any] = await user.recv()
                    if message["e"] == kind and wanted.items() <= message.items():
                        return message

        await asyncio.sleep(0.5)
        stop = await connected.ws_create_order(
            symbol=SYMBOL, side="SELL", type="STOP_LOSS", quantity="0.3", stopPrice="64000"
        )
        placed = await told("executionReport", x="NEW")
        assert (placed["i"], placed["o"], placed["w"]) == (stop["orderId"], "STOP_LOSS", False)
        walking = asyncio.create_task(asyncio.to_thread(exchange.market(SYMBOL).walk_to, 63_900))
        traded = await told("executionReport", x="TRADE", X="FILLED")
        assert (traded["i"], Decimal(traded["z"])) == (stop["orderId"], Decimal("0.3"))
        position = await told("outboundAccountPosition")
        assert {row["a"] for row in position["B"]} >= {"BTC", "USDT"}
        await walking


async def test_a_cached_book_follows_the_price(exchange: Exchange, connected: Any) -> None:
    async with DepthCacheManager(connected, SYMBOL, ws_interval=100) as cache:
        walking = asyncio.create_task(asyncio.to_thread(exchange.market(SYMBOL).walk_to, 64_000))
        async with asyncio.timeout(DEADLINE_S):
            while not (asks := cache.get_depth_cache().get_asks()) or asks[0][0] > 64_100:
                await cache.recv()
        await walking
        best_bid = cache.get_depth_cache().get_bids()[0][0]
        assert best_bid < asks[0][0]
