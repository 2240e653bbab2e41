"""Orders and trades from a real ledger: pages, combinations of parameters, own writes read back."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.contracts.fee_commands import SetFeeDiscount, SwitchFeeDiscount
from exchange.process.config import Settings
from services.migrations import migrate
from services.order.view.bootstrap import load_view
from services.order.view.model import AccountView
from services.projections.ledger.projection import LedgerProjection
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order, running_exchange

pytestmark = pytest.mark.integration


@pytest.fixture
async def ledger_exchange(database_dsn: str, valkey_url: str) -> AsyncIterator[OrderExchange]:
    """The order service over PostgreSQL and Valkey, with the ledger projection beside it."""
    settings = Settings(database_dsn=SecretStr(database_dsn), cache_url=SecretStr(valkey_url))
    database, cache = await open_pool(settings), open_cache(settings)
    async with database.acquire() as connection:
        await migrate(connection)
    try:
        async with running_exchange(database, cache) as exchange:
            ledger = LedgerProjection(exchange.resources)
            await ledger.start()
            running = asyncio.create_task(ledger.run())
            yield exchange
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await ledger.stop()
    finally:
        await cache.aclose()
        await close_pool(database, 5_000)


async def trade(exchange: OrderExchange, count: int) -> tuple[list[int], list[int]]:
    """Let Bob buy 0.1 BTC from Alice that often; return her order ids and his."""
    sells, buys = [], []
    for _ in range(count):
        sell = await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.1"))
        buy = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "0.1"))
        sells.append(sell.json()["orderId"])
        buys.append(buy.json()["orderId"])
    return sells, buys


async def test_trades_are_read_back_at_once_with_the_documented_shape(ledger_exchange: OrderExchange) -> None:
    _, buys = await trade(ledger_exchange, 1)
    trades = (await ledger_exchange.request("GET", "/myTrades", BOB, symbol="BTCUSDT")).json()
    assert trades == [
        {
            "symbol": "BTCUSDT",
            "id": 1,
            "orderId": buys[0],
            "orderListId": -1,
            "price": "50000.00000000",
            "qty": "0.10000000",
            "quoteQty": "5000.00000000",
            "commission": "0.00010000",
            "commissionAsset": "BTC",
            "time": trades[0]["time"],
            "isBuyer": True,
            "isMaker": False,
            "isBestMatch": True,
        }
    ]
    sold = (await ledger_exchange.request("GET", "/myTrades", ALICE, symbol="BTCUSDT")).json()
    assert (sold[0]["commission"], sold[0]["commissionAsset"], sold[0]["isMaker"]) == (
        "5.00000000",
        "USDT",
        True,
    )


async def test_pages_of_trades_follow_every_allowed_combination(ledger_exchange: OrderExchange) -> None:
    _, buys = await trade(ledger_exchange, 5)

    async def ids(**parameters: object) -> list[int]:
        answer = await ledger_exchange.request("GET", "/myTrades", BOB, symbol="BTCUSDT", **parameters)
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()]

    now_ms = time.time_ns() // 1_000_000
    assert await ids() == [1, 2, 3, 4, 5]
    assert await ids(limit=2) == [4, 5]
    assert await ids(fromId=2, limit=2) == [2, 3]
    assert await ids(orderId=buys[3]) == [4]
    assert await ids(orderId=buys[3], fromId=5) == []
    assert await ids(startTime=now_ms - 60_000, limit=2) == [1, 2]
    assert await ids(endTime=now_ms + 60_000, limit=2) == [4, 5]
    assert await ids(startTime=now_ms - 60_000, endTime=now_ms + 60_000, limit=3) == [1, 2, 3]
    assert await ids(startTime=(now_ms + 60_000) * 1_000) == []
    assert await ids(endTime=now_ms - 60_000) == []


async def test_trade_with_oneself_is_two_rows(ledger_exchange: OrderExchange) -> None:
    for side in ("SELL", "BUY"):
        order = limit_order(side, "50000", "0.1", selfTradePreventionMode="NONE")
        await ledger_exchange.request("POST", "/order", ALICE, **order)
    rows = (await ledger_exchange.request("GET", "/myTrades", ALICE, symbol="BTCUSDT")).json()
    assert sorted((row["isBuyer"], row["isMaker"]) for row in rows) == [(False, True), (True, False)]


async def test_all_orders_pages_and_equals_the_single_query(ledger_exchange: OrderExchange) -> None:
    sells, _ = await trade(ledger_exchange, 3)
    resting = await ledger_exchange.request("POST", "/order", ALICE, **limit_order("SELL", "60000", "0.1"))
    sells.append(resting.json()["orderId"])
    canceled = await ledger_exchange.request("DELETE", "/order", ALICE, symbol="BTCUSDT", orderId=sells[3])
    assert canceled.status_code == 200

    async def page(**parameters: object) -> list[dict[str, object]]:
        answer = await ledger_exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT", **parameters)
        return list(answer.json())

    orders = await page()
    assert [o["orderId"] for o in orders] == sells
    assert [o["status"] for o in orders] == ["FILLED", "FILLED", "FILLED", "CANCELED"]
    assert [o["orderId"] for o in await page(limit=2)] == sells[2:]
    assert [o["orderId"] for o in await page(orderId=sells[1], limit=2)] == sells[1:3]
    elsewhere = await ledger_exchange.request("GET", "/allOrders", ALICE, symbol="ETHUSDT")
    assert elsewhere.json() == []
    for order in orders:
        single = await ledger_exchange.request(
            "GET", "/order", ALICE, symbol="BTCUSDT", orderId=order["orderId"]
        )
        assert single.json() == order


async def test_forgotten_orders_are_found_in_the_ledger(ledger_exchange: OrderExchange) -> None:
    sells, _ = await trade(ledger_exchange, 2)
    known = (await ledger_exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", orderId=sells[0])).json()
    await ledger_exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT")  # waits for the ledger
    view = ledger_exchange.service.engine.view
    view._closed.clear()
    view._closed_by_client_id.clear()
    for name in ({"orderId": sells[0]}, {"origClientOrderId": known["clientOrderId"]}):
        answer = await ledger_exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", **name)
        assert answer.json() == known
        hidden = await ledger_exchange.request("GET", "/order", BOB, symbol="BTCUSDT", **name)
        assert hidden.json()["code"] == -2013


async def test_view_loaded_from_the_ledger_equals_the_view_that_followed(
    ledger_exchange: OrderExchange,
) -> None:
    await trade(ledger_exchange, 2)
    for price in ("60000", "61000"):
        await ledger_exchange.request("POST", "/order", ALICE, **limit_order("SELL", price, "0.1"))
    await ledger_exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT")  # waits for the ledger
    followed = ledger_exchange.service.engine.view
    async with ledger_exchange.resources.database.acquire() as connection:
        loaded, position = await load_view(connection, 0, 5.0)
    assert (loaded.seq, position.seq) == (followed.seq, followed.seq)
    assert position.hash == ledger_exchange.stream.hash
    assert position.next_offset == len(ledger_exchange.event_log.records)
    for user_id in (ALICE, BOB):
        assert loaded.open_orders(user_id) == followed.open_orders(user_id)
        assert _amounts(loaded, user_id) == _amounts(followed, user_id)
        assert loaded.updated_ms_of[user_id] == followed.updated_ms_of[user_id]
    for market_id, market in followed.markets.items():
        assert vars(loaded.markets[market_id].rules) == vars(market.rules)
        assert loaded.markets[market_id].mode == market.mode


def _amounts(view: AccountView, user_id: int) -> list[tuple[str, int, int]]:
    return [(asset.code, b.available_atoms, b.held_atoms) for asset, b in view.balances_of(user_id)]


async def test_service_restarts_from_the_ledger_and_goes_on(ledger_exchange: OrderExchange) -> None:
    order = await ledger_exchange.request("POST", "/order", ALICE, **limit_order("SELL", "60000", "0.1"))
    await ledger_exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT")
    loaded = await ledger_exchange.service._load()
    assert [o.order_id for o in loaded.open_orders(ALICE)] == [order.json()["orderId"]]


async def test_listen_keys_work_on_a_real_cache(ledger_exchange: OrderExchange) -> None:
    from tests.unit.order.test_listen_keys import keyed

    key = (await keyed(ledger_exchange, "POST", ALICE)).json()["listenKey"]
    cache = ledger_exchange.resources.cache
    assert await cache.get(f"listen_key:{key}") == str(ALICE).encode()
    assert 3_590 <= await cache.ttl(f"listen_key_of:{ALICE}") <= 3_600
    subscription = cache.pubsub()
    await subscription.subscribe(f"user_data:{key}")
    await ledger_exchange.request("POST", "/order", ALICE, **limit_order("SELL", "60000", "0.1"))
    heard = []
    for _ in range(100):
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message is not None:
            heard.append(message["data"])
        if len(heard) == 2:
            break
    await subscription.aclose()
    assert b'"e":"executionReport"' in heard[0]
    assert b'"e":"outboundAccountPosition"' in heard[1]
    assert (await keyed(ledger_exchange, "POST", ALICE)).json()["listenKey"] == key
    assert (await keyed(ledger_exchange, "DELETE", ALICE, f"listenKey={key}")).json() == {}
    assert (await keyed(ledger_exchange, "PUT", ALICE, f"listenKey={key}")).json()["code"] == -1125


async def test_absent_database_is_an_error_not_a_hang(ledger_exchange: OrderExchange) -> None:
    await trade(ledger_exchange, 1)
    ledger_exchange.resources.database.terminate()
    answer = await ledger_exchange.request("GET", "/myTrades", BOB, symbol="BTCUSDT")
    assert (answer.status_code, answer.json()["code"]) == (503, -1001)
    placed = await ledger_exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "0.1"))
    assert placed.status_code == 200, "orders need no database"


async def test_a_trade_read_back_has_its_fee_in_the_asset_in_which_it_was_paid(
    ledger_exchange: OrderExchange,
) -> None:
    ledger_exchange.stream.apply(SetFeeDiscount(1, 3, 250_000), SwitchFeeDiscount(2, BOB, 1))
    await ledger_exchange.publish()
    _, buys = await trade(ledger_exchange, 1)
    for chosen in ({}, {"orderId": buys[0]}):
        (row,) = (await ledger_exchange.request("GET", "/myTrades", BOB, symbol="BTCUSDT", **chosen)).json()
        assert (row["commission"], row["commissionAsset"]) == ("3.75000000", "USDT")
