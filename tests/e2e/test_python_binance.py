"""Unmodified python-binance: synchronous and asynchronous clients, sockets, the depth cache."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader

with warnings.catch_warnings():
    # The library imports a name that websockets calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import AsyncClient, BinanceSocketManager, Client, DepthCacheManager
    from binance.base_client import BaseClient
    from binance.exceptions import BinanceAPIException
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

SYMBOL = "BTCUSDT"
MESSAGE_DEADLINE_S = 60.0
SETTLE_S = 0.5
ConnectAsync = Callable[[Trader], Awaitable[AsyncClient]]


@pytest.fixture(autouse=True)
def moved_base(monkeypatch: pytest.MonkeyPatch, exchange_url: str) -> None:
    """The library knows no base-url argument; its constants are class attributes (binance-spot-api 7.2)."""
    websocket = exchange_url.replace("http", "ws", 1)
    monkeypatch.setattr(BaseClient, "API_URL", f"{exchange_url}/api")
    monkeypatch.setattr(BaseClient, "MARGIN_API_URL", f"{exchange_url}/sapi")
    monkeypatch.setattr(BaseClient, "WS_API_URL", f"{websocket}/ws-api/v3")
    monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", f"{websocket}/")
    # How long closing a quiet socket takes, in seconds; ten by default, which only costs time here.
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)


@pytest.fixture
def connect(moved_base: None) -> Iterator[Callable[[Trader], Client]]:
    """Makes synchronous clients. The library wants an event loop even for these, and never closes it."""
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


@pytest.fixture
async def connect_async(moved_base: None) -> AsyncIterator[ConnectAsync]:
    """Makes asynchronous clients."""
    clients: list[AsyncClient] = []

    async def make(trader: Trader) -> AsyncClient:
        credentials = trader.credentials
        clients.append(await AsyncClient.create(credentials.api_key, credentials.secret_key))
        return clients[-1]

    yield make
    for client in clients:
        await client.close_connection()


def test_synchronous_client_trades_and_cancels(connect: Callable[[Trader], Client], sign_up: SignUp) -> None:
    maker, taker = connect(sign_up()), connect(sign_up())
    assert {s["symbol"] for s in maker.get_exchange_info()["symbols"]} >= {SYMBOL, "ETHUSDT", "ETHBTC"}
    resting = maker.order_limit_sell(symbol=SYMBOL, quantity="0.5", price="50000.00")
    assert resting["status"] == "NEW"
    filled = taker.order_market_buy(symbol=SYMBOL, quantity="0.2")
    assert filled["status"] == "FILLED"
    assert [Decimal(f["qty"]) for f in filled["fills"]] == [Decimal("0.2")]
    order = maker.get_order(symbol=SYMBOL, orderId=resting["orderId"])
    assert (order["status"], Decimal(order["executedQty"])) == ("PARTIALLY_FILLED", Decimal("0.2"))
    commission = Decimal(filled["fills"][0]["commission"])
    assert Decimal(taker.get_asset_balance("BTC")["free"]) == 100 + Decimal("0.2") - commission
    assert taker.get_my_trades(symbol=SYMBOL)[-1]["orderId"] == filled["orderId"]
    # DELETE with its parameters in the body (binance-spot-api 0.3).
    assert maker.cancel_order(symbol=SYMBOL, orderId=resting["orderId"])["status"] == "CANCELED"
    assert maker.get_open_orders(symbol=SYMBOL) == []


def test_refusals_carry_binances_codes(connect: Callable[[Trader], Client], sign_up: SignUp) -> None:
    client = connect(sign_up({"USDT": "100"}))
    with pytest.raises(BinanceAPIException) as poor:
        client.order_limit_buy(symbol=SYMBOL, quantity="1", price="50000")
    assert (poor.value.code, poor.value.message) == (
        -2010,
        "Account has insufficient balance for requested action.",
    )
    with pytest.raises(BinanceAPIException) as unknown:
        client.cancel_order(symbol=SYMBOL, orderId=999_999_999)
    assert unknown.value.code == -2011
    # The library writes this float as 1e-05 (binance-spot-api 2.4).
    with pytest.raises(BinanceAPIException) as illegal:
        client.order_limit_buy(symbol=SYMBOL, quantity=0.00001, price="50000")
    assert illegal.value.code == -1100


async def receive(socket: Any, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first message that is wanted; others are passed over."""
    async with asyncio.timeout(MESSAGE_DEADLINE_S):
        while True:
            message = await socket.recv()
            assert message.get("e") != "error", message
            if wanted(message):
                return dict(message)


async def test_asynchronous_client_sees_its_order_on_every_socket(
    connect_async: ConnectAsync, sign_up: SignUp
) -> None:
    maker, taker = await connect_async(sign_up()), await connect_async(sign_up())
    sockets = BinanceSocketManager(taker)
    async with (
        sockets.user_socket() as user,
        sockets.trade_socket(SYMBOL) as trades,
        sockets.kline_socket(SYMBOL) as klines,
        sockets.symbol_ticker_socket(SYMBOL) as tickers,
        sockets.multiplex_socket(["btcusdt@bookTicker", "btcusdt@aggTrade"]) as many,
    ):
        await asyncio.sleep(SETTLE_S)
        await maker.order_limit_sell(symbol=SYMBOL, quantity="0.5", price="50250.00")
        best = await receive(many, lambda m: m["stream"] == "btcusdt@bookTicker" and bool(m["data"]["a"]))
        assert Decimal(best["data"]["a"]) == Decimal("50250")
        order = await taker.order_limit_buy(symbol=SYMBOL, quantity="0.2", price="50250.00")
        assert order["status"] == "FILLED"

        report = await receive(user, lambda m: m["e"] == "executionReport" and m["x"] == "TRADE")
        assert (report["i"], report["X"]) == (order["orderId"], "FILLED")
        position = await receive(user, lambda m: m["e"] == "outboundAccountPosition")
        assert {b["a"] for b in position["B"]} >= {"BTC", "USDT"}
        trade = await receive(trades, lambda m: m["e"] == "trade")
        assert (Decimal(trade["p"]), Decimal(trade["q"])) == (Decimal("50250"), Decimal("0.2"))
        aggregate = await receive(many, lambda m: m["stream"] == "btcusdt@aggTrade")
        assert aggregate["data"]["l"] == trade["t"]
        candle = await receive(klines, lambda m: Decimal(m["k"]["c"]) == Decimal("50250"))
        assert candle["k"]["s"] == SYMBOL
        ticker = await receive(tickers, lambda m: Decimal(m["c"]) == Decimal("50250"))
        assert ticker["L"] == trade["t"]


async def test_depth_cache_follows_the_book_without_starting_over(
    connect_async: ConnectAsync, sign_up: SignUp
) -> None:
    maker = await connect_async(sign_up())
    watcher = await connect_async(sign_up({}))
    async with DepthCacheManager(watcher, "ETHUSDT", ws_interval=100) as cache:

        async def await_asks(expected: list[list[float]]) -> None:
            async with asyncio.timeout(MESSAGE_DEADLINE_S):
                while cache.get_depth_cache().get_asks() != expected:
                    await cache.recv()

        first = await maker.order_limit_sell(symbol="ETHUSDT", quantity="2", price="3100.00")
        await await_asks([[3100.0, 2.0]])
        await maker.order_limit_sell(symbol="ETHUSDT", quantity="1", price="3101.00")
        await await_asks([[3100.0, 2.0], [3101.0, 1.0]])
        await maker.cancel_order(symbol="ETHUSDT", orderId=first["orderId"])
        await await_asks([[3101.0, 1.0]])


async def test_orders_go_over_the_websocket_api(connect_async: ConnectAsync, sign_up: SignUp) -> None:
    client = await connect_async(sign_up())
    placed = await client.ws_create_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="49000.00"
    )
    assert placed["status"] == "NEW"
    found = await client.ws_get_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert found["clientOrderId"] == placed["clientOrderId"]
    cancelled = await client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert cancelled["status"] == "CANCELED"
