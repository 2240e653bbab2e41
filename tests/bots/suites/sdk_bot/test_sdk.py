"""binance-sdk-spot as it is: REST, the WebSocket API and streams; loops with stops and lists, and its errors.

Its answers are models of its own: what they make of ours is what a bot gets.
"""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bench import Account, Exchange

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("binance_sdk_spot")
pytestmark = pytest.mark.slow

SYMBOL = "BTCUSDT"


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account."""
    return exchange.account(BTC=1, USDT=200_000)


@pytest.fixture
def client(exchange: Exchange, account: Account) -> Any:
    """What the bot trades with."""
    return exchange.clients.binance_sdk_spot(account)


def price_now(client: Any) -> int:
    """The last price, in whole dollars."""
    found = client.rest_api.ticker_price(symbol=SYMBOL).data()
    return int(Decimal(getattr(found, "actual_instance", found).price))


def test_rest_trades_and_tells_of_it(client: Any) -> None:
    rest = client.rest_api
    bought = rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.5).data()
    assert (bought.status, Decimal(bought.executed_qty)) == ("FILLED", Decimal("0.5"))
    resting = rest.new_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01,
        price=price_now(client) - 5_000,
    ).data()  # fmt: skip
    (opened,) = rest.get_open_orders(symbol=SYMBOL).data()
    assert (opened.order_id, opened.status) == (resting.order_id, "NEW")
    smaller = rest.order_amend_keep_priority(symbol=SYMBOL, new_qty=0.005, order_id=resting.order_id).data()
    assert Decimal(smaller.amended_order.qty) == Decimal("0.005")
    assert rest.delete_order(symbol=SYMBOL, order_id=resting.order_id).data().status == "CANCELED"
    assert rest.my_trades(symbol=SYMBOL).data()[0].order_id == bought.order_id
    balances = {row.asset: Decimal(row.free) for row in rest.get_account().data().balances}
    assert balances["BTC"] > Decimal("1.49")


def test_rest_places_lists_of_each_kind(client: Any) -> None:
    rest, last = client.rest_api, price_now(client)
    pair = {
        "above_type": "LIMIT_MAKER", "above_price": last + 5_000,
        "below_type": "STOP_LOSS", "below_stop_price": last - 5_000,
    }  # fmt: skip
    pending = {f"pending_{name}": value for name, value in pair.items()}
    working = {
        "working_type": "LIMIT", "working_side": "BUY", "working_time_in_force": "GTC",
        "working_price": last - 4_000, "working_quantity": 0.01,
    }  # fmt: skip
    placed = [
        rest.order_list_oco(symbol=SYMBOL, side="SELL", quantity=0.1, **pair),
        rest.order_list_oto(
            symbol=SYMBOL, **working, pending_type="MARKET", pending_side="SELL", pending_quantity=0.01
        ),
        rest.order_list_otoco(
            symbol=SYMBOL, **working, pending_side="SELL", pending_quantity=0.01, **pending
        ),
        rest.order_list_opo(symbol=SYMBOL, **working, pending_type="MARKET", pending_side="SELL"),
        rest.order_list_opoco(symbol=SYMBOL, **working, pending_side="SELL", **pending),
    ]
    lists = [answer.data() for answer in placed]
    assert [one.contingency_type for one in lists] == ["OCO", "OTO", "OTO", "OTO", "OTO"]
    assert [len(one.order_reports) for one in lists] == [2, 2, 3, 2, 3]
    opened = rest.open_order_list().data()
    assert [one.order_list_id for one in opened] == [one.order_list_id for one in lists]
    for one in lists:
        done = rest.delete_order_list(symbol=SYMBOL, order_list_id=one.order_list_id).data()
        assert done.list_order_status == "ALL_DONE"


def test_a_purchase_pays_for_what_follows_it(client: Any) -> None:
    last = price_now(client)
    placed = client.rest_api.order_list_opo(
        symbol=SYMBOL, working_type="LIMIT", working_side="BUY", working_time_in_force="GTC",
        working_price=last + 500, working_quantity=0.02, pending_type="LIMIT", pending_side="SELL",
        pending_time_in_force="GTC", pending_price=last + 8_000,
    ).data()  # fmt: skip
    bought, sold = (
        client.rest_api.get_order(symbol=SYMBOL, order_id=one.order_id).data() for one in placed.orders
    )
    assert bought.status == "FILLED"
    assert (sold.status, sold.side, Decimal(sold.orig_qty)) == ("NEW", "SELL", Decimal("0.02"))


@pytest.mark.parametrize(("target", "filled"), [(66_100, "LIMIT_MAKER"), (63_900, "STOP_LOSS")])
def test_one_side_of_a_list_ends_the_other(
    exchange: Exchange, account: Account, client: Any, target: int, filled: str
) -> None:
    rest = client.rest_api
    placed = rest.order_list_oco(
        symbol=SYMBOL, side="SELL", quantity=0.25, above_type="LIMIT_MAKER", above_price=66_000,
        below_type="STOP_LOSS", below_stop_price=64_000,
    ).data()  # fmt: skip
    exchange.market(SYMBOL).walk_to(target)
    account.wait_for_fills(SYMBOL)
    legs = [rest.get_order(symbol=SYMBOL, order_id=one.order_id).data() for one in placed.orders]
    found = {leg.type: leg.status for leg in legs}
    assert found.pop(filled) == "FILLED"
    assert set(found.values()) <= {"EXPIRED", "CANCELED"}
    assert rest.open_order_list().data() == []
    done = rest.get_order_list(order_list_id=placed.order_list_id).data()
    assert done.list_order_status == "ALL_DONE"


async def test_a_stop_is_triggered_and_told_of_by_the_user_s_stream(exchange: Exchange, client: Any) -> None:
    connection = await client.websocket_api.create_connection()
    told: asyncio.Queue[Any] = asyncio.Queue()
    try:
        subscribed = await connection.user_data_stream_subscribe_signature()
        subscribed.stream.on("message", told.put_nowait)
        placed = await connection.order_place(
            symbol=SYMBOL, side="SELL", type="STOP_LOSS", quantity=0.3, stop_price=64_000
        )
        number = placed.data().result.order_id
        walking = asyncio.create_task(asyncio.to_thread(exchange.market(SYMBOL).walk_to, 63_900))
        statuses: list[str] = []
        async with asyncio.timeout(60):
            while "FILLED" not in statuses:
                event = await told.get()
                report = getattr(event, "actual_instance", event)
                if getattr(report, "i", None) == number:
                    statuses.append(report.X)
        await walking
        assert statuses[0] == "NEW"
        filled = (await connection.order_status(symbol=SYMBOL, order_id=number)).data().result
        assert (filled.status, Decimal(filled.executed_qty)) == ("FILLED", Decimal("0.3"))
    finally:
        await client.websocket_api.close_connection()


def test_refusals_are_the_errors_that_it_knows(exchange: Exchange, client: Any) -> None:
    from binance_common.errors import BadRequestError, UnauthorizedError

    with pytest.raises(BadRequestError, match="insufficient balance"):
        client.rest_api.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=50)
    with pytest.raises(BadRequestError, match="must be a bid"):
        client.rest_api.order_list_opo(
            symbol=SYMBOL, working_type="LIMIT", working_side="SELL", working_time_in_force="GTC",
            working_price=price_now(client), working_quantity=0.01, pending_type="MARKET",
            pending_side="SELL",
        )  # fmt: skip
    nobody = replace(exchange.account(USDT=1), api_key="x" * 64)
    with pytest.raises((UnauthorizedError, BadRequestError)):
        exchange.clients.binance_sdk_spot(nobody).rest_api.get_account()


async def test_the_websocket_api_trades_by_lists_and_stops(client: Any) -> None:
    last = await asyncio.to_thread(price_now, client)
    connection = await client.websocket_api.create_connection()
    try:
        assert (await connection.time()).data().result.server_time > 0
        stop = await connection.order_place(
            symbol=SYMBOL, side="SELL", type="STOP_LOSS", quantity=0.01, stop_price=last - 5_000
        )
        waiting = await connection.order_status(symbol=SYMBOL, order_id=stop.data().result.order_id)
        assert (waiting.data().result.status, waiting.data().result.is_working) == ("NEW", False)
        placed = await connection.order_list_place_opo(
            symbol=SYMBOL, working_type="LIMIT", working_side="BUY", working_time_in_force="GTC",
            working_price=last - 4_000, working_quantity=0.01, pending_type="MARKET", pending_side="SELL",
        )  # fmt: skip
        number = placed.data().result.order_list_id
        cancelled = await connection.order_list_cancel(symbol=SYMBOL, order_list_id=number)
        assert cancelled.data().result.list_order_status == "ALL_DONE"
        left = await connection.open_orders_cancel_all(symbol=SYMBOL)
        assert len(left.data().result) == 1
    finally:
        await client.websocket_api.close_connection()


async def test_streams_tell_of_the_market(exchange: Exchange, client: Any) -> None:
    connection = await client.websocket_streams.create_connection()
    told: asyncio.Queue[Any] = asyncio.Queue()
    try:
        stream = await connection.agg_trade(symbol=SYMBOL.lower())
        stream.on("message", told.put_nowait)
        async with asyncio.timeout(60):
            while told.empty():
                await asyncio.to_thread(exchange.market(SYMBOL).jump_to, 64_000)
                await asyncio.sleep(0.1)
            trade = await told.get()
        assert (trade.e, trade.s) == ("aggTrade", SYMBOL)
    finally:
        await client.websocket_streams.close_connection()
