"""What else bots on ccxt do: stops and lists through their whole lives, by REST and streams, and errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from bench import Account, Exchange

pytestmark = pytest.mark.slow

SYMBOL = "BTC/USDT"
DEADLINE_S = 60
# Until what was asked for is listened to.
SETTLE_S = 1
BTC_LEFT = {"free": 0.75, "used": 0, "total": 0.75}


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account, which is long."""
    return exchange.account(BTC=1, USDT=100_000)


@pytest.fixture
def client(exchange: Exchange, account: Account) -> Any:
    """What the bot trades with."""
    return exchange.clients.ccxt(account)


@pytest.fixture
async def pro(exchange: Exchange, account: Account) -> AsyncIterator[Any]:
    """The same account, by streams and the WebSocket API."""
    made = exchange.clients.ccxt_pro(account)
    yield made
    await made.close()


def bracket(client: Any, amount: str, take: int, stop: int) -> dict[str, Any]:
    """A list of two around the price; ccxt has no name of its own for it."""
    made: dict[str, Any] = client.private_post_orderlist_oco(
        {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": amount,
            "aboveType": "LIMIT_MAKER", "abovePrice": str(take),
            "belowType": "STOP_LOSS", "belowStopPrice": str(stop),
        }
    )  # fmt: skip
    return made


def statuses(client: Any, placed: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """By the leg's type: its status as ccxt calls it, and how much of it is filled."""
    legs = (client.fetch_order(row["orderId"], SYMBOL) for row in placed["orders"])
    return {leg["info"]["type"]: (leg["status"], leg["filled"]) for leg in legs}


def test_a_stop_sells_when_the_price_falls(exchange: Exchange, account: Account, client: Any) -> None:
    market = exchange.market("BTCUSDT")
    stop = client.create_order(SYMBOL, "market", "sell", 0.25, None, {"stopLossPrice": 64_000})
    assert client.fetch_order(stop["id"], SYMBOL)["status"] == "open"
    assert client.fetch_balance()["BTC"]["used"] == 0.25
    market.walk_to(64_500)
    assert [row["id"] for row in client.fetch_open_orders(SYMBOL)] == [stop["id"]]
    market.walk_to(63_900)
    account.wait_for_fills("BTCUSDT")
    sold = client.fetch_order(stop["id"], SYMBOL)
    assert (sold["status"], sold["filled"]) == ("closed", 0.25)
    assert 63_500 < sold["average"] <= 64_000
    trades = client.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {stop["id"]}
    assert client.fetch_balance()["BTC"] == BTC_LEFT


def test_a_stop_with_a_limit_waits_at_its_limit(exchange: Exchange, account: Account, client: Any) -> None:
    """Triggered on the way down, it rests above the market, and is filled when that comes back."""
    market = exchange.market("BTCUSDT")
    stop = client.create_order(SYMBOL, "limit", "sell", 0.2, 64_400, {"stopLossPrice": 64_000})
    market.jump_to(63_900)
    waiting = client.fetch_order(stop["id"], SYMBOL)
    assert (waiting["status"], waiting["filled"]) == ("open", 0)
    assert waiting["info"]["isWorking"] is True
    market.walk_to(64_600)
    (fill,) = account.wait_for_fills("BTCUSDT")
    assert (fill.price, str(fill.order_id), fill.is_maker) == (Decimal(64_400), stop["id"], True)


def test_a_trailing_stop_follows_the_price_up(exchange: Exchange, account: Account, client: Any) -> None:
    market = exchange.market("BTCUSDT")
    stop = client.create_order(
        SYMBOL, "market", "sell", 0.1, None, {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}
    )
    market.walk_to(66_000)
    market.walk_to(65_500)
    assert client.fetch_order(stop["id"], SYMBOL)["status"] == "open"
    market.walk_to(65_200)
    (fill, *_) = account.wait_for_fills("BTCUSDT")
    assert str(fill.order_id) == stop["id"]


@pytest.mark.parametrize(
    ("target", "filled", "ended"),
    [(66_100, "LIMIT_MAKER", "STOP_LOSS"), (63_900, "STOP_LOSS", "LIMIT_MAKER")],
)
def test_one_side_of_a_bracket_ends_the_other(
    exchange: Exchange, account: Account, client: Any, target: int, filled: str, ended: str
) -> None:
    placed = bracket(client, "0.25", 66_000, 64_000)
    # It holds what it sells once, not twice.
    assert client.fetch_balance()["BTC"]["used"] == 0.25
    exchange.market("BTCUSDT").walk_to(target)
    account.wait_for_fills("BTCUSDT")
    found = statuses(client, placed)
    assert found[filled] == ("closed", 0.25)
    # Whichever is met first ends the other; ccxt says "expired" or "canceled" as the answer does.
    assert found[ended] in {("expired", 0.0), ("canceled", 0.0)}
    assert client.fetch_open_orders(SYMBOL) == []
    assert client.fetch_balance()["BTC"]["used"] == 0


def test_a_list_is_cancelled_whole(client: Any) -> None:
    placed = bracket(client, "0.25", 70_000, 60_000)
    assert [row["orderListId"] for row in client.private_get_openorderlist()] == [placed["orderListId"]]
    client.cancel_order(placed["orders"][0]["orderId"], SYMBOL)
    assert set(statuses(client, placed).values()) == {("canceled", 0.0)}
    assert client.private_get_openorderlist() == []


def test_an_order_is_edited_by_replacing_it(client: Any) -> None:
    first = client.create_order(SYMBOL, "limit", "buy", 0.1, 60_000)
    second = client.edit_order(first["id"], SYMBOL, "limit", "buy", 0.2, 61_000)
    assert second["id"] != first["id"]
    (left,) = client.fetch_open_orders(SYMBOL)
    assert (left["id"], left["price"], left["amount"]) == (second["id"], 61_000, 0.2)
    assert client.fetch_order(first["id"], SYMBOL)["status"] == "canceled"


def test_refusals_are_its_exceptions(exchange: Exchange, account: Account, client: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(SYMBOL, "market", "sell", 5)
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        client.create_order(SYMBOL, "limit", "buy", 0.00001, 60_000)
    # A stop on the wrong side of the price would be triggered at once.
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(SYMBOL, "market", "sell", 0.1, None, {"stopLossPrice": 70_000})
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(SYMBOL, "limit", "buy", 0.1, 70_000, {"postOnly": True})
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("987654321", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("987654321", SYMBOL)
    with pytest.raises(ccxt.BadSymbol):
        client.fetch_ticker("NOPE/USDT")
    stranger = exchange.clients.ccxt(replace(account, secret_key="x" * 64))
    with pytest.raises(ccxt.AuthenticationError):
        stranger.fetch_balance()
    late = exchange.clients.ccxt(account)
    late.options["timeDifference"] = 3_600_000
    with pytest.raises(ccxt.InvalidNonce):
        late.fetch_balance()


async def until(watch: Callable[[], Awaitable[list[Any]]], wanted: Callable[[Any], bool]) -> Any:
    """The first row of a stream's updates that is wanted."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for row in await watch():
                if wanted(row):
                    return row


def balances(pro: Any) -> Callable[[], Awaitable[list[Any]]]:
    """The balance stream as rows."""

    async def watch() -> list[Any]:
        return [await pro.watch_balance()]

    return watch


async def test_streams_tell_of_a_stop_from_placing_to_its_trade(exchange: Exchange, pro: Any) -> None:
    await pro.load_markets()
    orders = asyncio.create_task(
        until(lambda: pro.watch_orders(SYMBOL), lambda order: order["status"] == "closed")
    )
    trades = asyncio.create_task(until(lambda: pro.watch_my_trades(SYMBOL), lambda trade: True))
    left = asyncio.create_task(until(balances(pro), lambda balance: balance["BTC"] == BTC_LEFT))
    await asyncio.sleep(SETTLE_S)
    # Its own name for the price, `stopLossPrice`, it sends along here, too, which Binance refuses as unknown.
    stop = await pro.create_order_ws(SYMBOL, "STOP_LOSS", "sell", 0.25, None, {"stopPrice": 64_000})
    await asyncio.to_thread(exchange.market("BTCUSDT").walk_to, 63_900)
    closed, trade = await orders, await trades
    assert (closed["id"], closed["filled"]) == (stop["id"], 0.25)
    assert (trade["order"], trade["side"]) == (stop["id"], "sell")
    await left


async def test_streams_tell_of_the_market(exchange: Exchange, pro: Any) -> None:
    await pro.load_markets()
    watched = {
        "trade": asyncio.create_task(
            until(lambda: pro.watch_trades(SYMBOL), lambda trade: trade["price"] == 64_000)
        ),
        "candle": asyncio.create_task(
            until(lambda: pro.watch_ohlcv(SYMBOL, "1m"), lambda candle: candle[4] == 64_000)
        ),
    }
    book = await pro.watch_order_book(SYMBOL)
    assert book["bids"][0][0] < 65_000 < book["asks"][0][0]
    async with asyncio.timeout(DEADLINE_S):
        while not all(task.done() for task in watched.values()):
            await asyncio.to_thread(exchange.market("BTCUSDT").jump_to, 64_000)
            await asyncio.sleep(0.1)
        while not pro.orderbooks[SYMBOL]["asks"][0][0] < 64_100:
            await pro.watch_order_book(SYMBOL)
    assert (await watched["trade"])["symbol"] == SYMBOL
    assert (await watched["candle"])[4] == 64_000
