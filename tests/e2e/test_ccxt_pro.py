"""Unmodified ccxt.pro: every `watch_*` stream while two accounts trade, and orders over the WebSocket API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tests.e2e.ccxt_setup import RESTRICTED_OPTIONS, ccxt_settings
from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually_async

if TYPE_CHECKING:
    import ccxt.pro

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

Connect = Callable[[Trader], "ccxt.pro.binance"]
SYMBOL = "BTC/USDT"
SETTLE_S = 1.0


@pytest.fixture
async def connect(exchange_url: str) -> AsyncIterator[Connect]:
    """Makes clients; their sockets are closed after the test."""
    # It reads every exchange that there is: two seconds, which every process that reads the tests would pay.
    import ccxt.pro

    clients: list[ccxt.pro.binance] = []

    def make(trader: Trader) -> "ccxt.pro.binance":
        settings = ccxt_settings(exchange_url, trader.credentials, dict(RESTRICTED_OPTIONS))
        urls = settings["urls"]["api"]
        websocket = exchange_url.replace("http", "ws", 1)
        urls["ws"] = {"spot": f"{websocket}/ws", "ws-api": {"spot": f"{websocket}/ws-api/v3"}}
        clients.append(ccxt.pro.binance(settings))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


class Watchers:
    """Runs `watch_*` calls in loops and keeps copies of what they returned."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, call: Callable[[], Awaitable[Any]], keep: Callable[[Any], Any]) -> list[Any]:
        """The list that fills with `keep(result)` of every update."""
        seen: list[Any] = []

        async def loop() -> None:
            while True:
                seen.append(keep(await call()))

        self._tasks.append(asyncio.create_task(loop()))
        return seen

    async def __aenter__(self) -> "Watchers":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result


async def test_public_streams_show_the_book_the_trade_the_candle_and_the_ticker(
    connect: Connect, sign_up: SignUp
) -> None:
    maker, taker, watcher = connect(sign_up()), connect(sign_up()), connect(sign_up({}))
    async with Watchers() as watchers:
        books = watchers.watch(
            lambda: watcher.watch_order_book(SYMBOL),
            lambda book: ([row[:2] for row in book["bids"]], [row[:2] for row in book["asks"]]),
        )
        trades = watchers.watch(
            lambda: watcher.watch_trades(SYMBOL), lambda rows: [(t["price"], t["amount"]) for t in rows]
        )
        tickers = watchers.watch(lambda: watcher.watch_ticker(SYMBOL), lambda ticker: ticker["last"])
        candles = watchers.watch(
            lambda: watcher.watch_ohlcv(SYMBOL, "1m"), lambda rows: (rows[-1][4], rows[-1][5])
        )
        await asyncio.sleep(SETTLE_S)
        await maker.create_order(SYMBOL, "limit", "sell", 0.5, 50_500)
        await maker.create_order(SYMBOL, "limit", "buy", 0.5, 49_500)
        await eventually_async(lambda: _seen(books, ([[49_500, 0.5]], [[50_500, 0.5]])))
        await taker.create_order(SYMBOL, "market", "buy", 0.125)
        await eventually_async(lambda: _seen(books, ([[49_500, 0.5]], [[50_500, 0.375]])))
        await eventually_async(lambda: _any(trades, lambda rows: (50_500, 0.125) in rows))
        await eventually_async(lambda: _seen(tickers, 50_500))
        await eventually_async(lambda: _any(candles, lambda row: row[0] == 50_500 and row[1] >= 0.125))


def _seen(updates: list[Any], expected: Any) -> None:
    assert expected in updates, f"{expected} not among the last of {len(updates)} updates: {updates[-3:]}"


def _any(updates: list[Any], wanted: Callable[[Any], bool]) -> None:
    assert any(map(wanted, updates)), f"not among the last of {len(updates)} updates: {updates[-3:]}"


async def test_user_streams_follow_orders_and_balances(connect: Connect, sign_up: SignUp) -> None:
    maker_trader = sign_up()
    maker, taker = connect(maker_trader), connect(sign_up())
    async with Watchers() as watchers:
        orders = watchers.watch(
            lambda: maker.watch_orders(SYMBOL),
            lambda rows: [(o["id"], o["status"], o["filled"]) for o in rows],
        )
        balances = watchers.watch(
            maker.watch_balance, lambda balance: (balance["BTC"]["free"], balance["BTC"]["used"])
        )
        mine = watchers.watch(
            lambda: maker.watch_my_trades(SYMBOL), lambda rows: [(t["order"], t["amount"]) for t in rows]
        )
        await asyncio.sleep(SETTLE_S)
        order = await maker.create_order(SYMBOL, "limit", "sell", 0.5, 50_500)
        await eventually_async(lambda: _any(orders, lambda rows: (order["id"], "open", 0) in rows))
        await eventually_async(lambda: _seen(balances, (99.5, 0.5)))
        await taker.create_order(SYMBOL, "limit", "buy", 0.2, 50_500)
        await eventually_async(lambda: _any(orders, lambda rows: (order["id"], "open", 0.2) in rows))
        await eventually_async(lambda: _any(mine, lambda rows: (order["id"], 0.2) in rows))
        await eventually_async(lambda: _seen(balances, (99.5, 0.3)))
        await maker.cancel_order(order["id"], SYMBOL)
        await eventually_async(lambda: _any(orders, lambda rows: (order["id"], "canceled", 0.2) in rows))
        await eventually_async(lambda: _seen(balances, (99.8, 0)))
        maker_trader.deposit("BTC", "1")
        await eventually_async(lambda: _seen(balances, (100.8, 0)))


async def test_orders_are_placed_found_and_cancelled_over_the_websocket_api(
    connect: Connect, sign_up: SignUp
) -> None:
    client = connect(sign_up({"USDT": "1000000"}))
    await client.load_markets()
    order = await client.create_order_ws(SYMBOL, "limit", "buy", 0.1, 49_000)
    assert order["status"] == "open"
    assert [row["id"] for row in await client.fetch_open_orders_ws(SYMBOL)] == [order["id"]]
    # This ccxt parses no spot balances here: they are in the raw answer only.
    balances = (await client.fetch_balance_ws())["info"]["balances"]
    assert [Decimal(row["locked"]) for row in balances if row["asset"] == "USDT"] == [4_900]
    cancelled = await client.cancel_order_ws(order["id"], SYMBOL)
    assert cancelled["status"] == "canceled"
    assert await client.fetch_open_orders_ws(SYMBOL) == []
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order_ws("999999999", SYMBOL)
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order_ws(SYMBOL, "limit", "buy", 150, 49_000)
