"""hummingbot's connector on the bench: rules, books, balances, orders of each kind, and what goes wrong."""

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from bench import Exchange
from tests.bots.suites.hummingbot_bot.rig import PAIR, SYMBOL, Bot, running, until

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("hummingbot")
pytestmark = pytest.mark.slow
DEPTH = 50


@pytest.fixture
async def bot(exchange: Exchange) -> AsyncIterator[Bot]:
    """A running one, with money."""
    async with running(exchange, exchange.account(BTC=1, USDT=200_000)) as made:
        yield made


def its_fees(fills: list[Any]) -> dict[str, Decimal]:
    """What a bot's fills have cost, by asset, as its strategy hears of it."""
    fees: dict[str, Decimal] = {}
    for fill in fills:
        assert fill.trade_fee.percent == 0
        for token, amount in fill.trade_fee.flat_fees:
            fees[token] = fees.get(token, Decimal(0)) + amount
    return fees


def rest_levels(exchange: Exchange) -> dict[str, list[tuple[float, float]]]:
    """The exchange's book, as floats: those are all that hummingbot has."""
    book = exchange.market(SYMBOL).book(DEPTH)
    return {
        side: [(float(price), float(quantity)) for price, quantity in rows] for side, rows in book.items()
    }


async def test_it_starts_with_rules_pairs_prices_and_balances(exchange: Exchange, bot: Bot) -> None:
    connector = bot.connector
    assert connector.status_dict == dict.fromkeys(connector.status_dict, True)
    assert {"BTC-USDT", "ETH-USDT", "ETH-BTC"} <= set(await connector.all_trading_pairs())
    (info,) = exchange.ask("GET", f"/api/v3/exchangeInfo?symbol={SYMBOL}")["symbols"]
    filters = {one["filterType"]: one for one in info["filters"]}
    rule = connector.trading_rules[PAIR]
    assert (rule.min_price_increment, rule.min_base_amount_increment) == (
        Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"]),
    )  # fmt: skip
    assert (rule.min_order_size, rule.min_notional_size) == (
        Decimal(filters["LOT_SIZE"]["minQty"]), Decimal(filters["NOTIONAL"]["minNotional"]),
    )  # fmt: skip
    assert connector.quantize_order_price(PAIR, Decimal("64000.017")) % rule.min_price_increment == 0
    prices = await connector.get_last_traded_prices([PAIR])
    assert prices == {PAIR: float(exchange.market(SYMBOL).price)}
    tops = {row["symbol"] for row in await connector.get_all_pairs_prices()}
    assert SYMBOL in tops
    assert {asset: bot.available(asset) for asset in ("BTC", "USDT")} == {"BTC": 1, "USDT": 200_000}


async def test_its_book_stays_in_step_through_snapshot_diffs_and_trades(exchange: Exchange, bot: Bot) -> None:
    market = exchange.market(SYMBOL)
    await until(lambda: bot.levels(DEPTH) == rest_levels(exchange))
    for price in (64_400, 63_800, 64_900):
        market.walk_to(price)
        await until(lambda: bot.levels(DEPTH) == rest_levels(exchange))
    metrics = bot.connector.order_book_tracker.metrics
    assert metrics.total_diffs_processed > 0
    assert metrics.total_trades_processed >= 30, "each step of a walk trades"
    assert metrics.total_trades_rejected == 0
    book = bot.connector.get_order_book(PAIR)
    await until(lambda: Decimal(str(book.last_trade_price)) == market.price)
    assert bot.connector.get_mid_price(PAIR) < 65_000
    market.empty()
    await until(lambda: bot.levels(DEPTH) == {"bids": [], "asks": []})


async def test_a_limit_order_rests_holds_money_and_is_cancelled(exchange: Exchange, bot: Bot) -> None:
    before = bot.available("USDT")
    order_id = await bot.rest_at("buy", "0.01", 60_000)
    assert order_id.startswith("x-MG43PCSN")
    (resting,) = bot.account.open_orders(SYMBOL)
    created = bot.events("BuyOrderCreatedEvent")[0]
    assert (resting["clientOrderId"], str(resting["orderId"])) == (order_id, created.exchange_order_id)
    # By the user data stream: the next poll is minutes away.
    await until(lambda: bot.available("USDT") == before - 600)
    assert bot.connector.get_balance("USDT") == before
    bot.connector.cancel(PAIR, order_id)
    await bot.event("OrderCancelledEvent", order_id)
    await until(lambda: bot.available("USDT") == before)
    assert bot.account.open_orders(SYMBOL) == []
    assert bot.connector.in_flight_orders == {}


async def test_a_maker_is_filled_and_hears_of_its_fee(exchange: Exchange, bot: Bot) -> None:
    order_id = await bot.place("sell", "0.5", 66_000, "LIMIT_MAKER")
    await bot.event("SellOrderCreatedEvent", order_id)
    exchange.market(SYMBOL).walk_to(67_000)
    completed = await bot.event("SellOrderCompletedEvent", order_id)
    fills = bot.events("OrderFilledEvent")
    truth = bot.account.fills(SYMBOL)
    assert [(fill.price, fill.amount, fill.exchange_trade_id) for fill in fills] == [
        (fill.price, fill.quantity, str(fill.trade_id)) for fill in truth
    ]
    assert its_fees(fills) == {"USDT": sum(fill.fee for fill in truth)}
    assert (completed.base_asset_amount, completed.quote_asset_amount) == (Decimal("0.5"), 33_000)
    await until(lambda: bot.available("USDT") == bot.account.balances()["USDT"])
    assert bot.available("BTC") == Decimal("0.5")


async def test_market_orders_are_filled_on_both_sides(bot: Bot) -> None:
    bought = await bot.place("buy", "0.25")
    await bot.event("BuyOrderCompletedEvent", bought)
    paid = its_fees(bot.events("OrderFilledEvent"))
    assert paid == {"BTC": sum(fill.fee for fill in bot.account.fills(SYMBOL))}
    sold = await bot.place("sell", "0.1")
    completed = await bot.event("SellOrderCompletedEvent", sold)
    truth = bot.account.fills(SYMBOL)
    sale = [fill for fill in truth if fill.side == "SELL"]
    assert completed.quote_asset_amount == sum(fill.price * fill.quantity for fill in sale)
    assert its_fees(bot.events("OrderFilledEvent")) == paid | {"USDT": sum(fill.fee for fill in sale)}
    for asset in ("BTC", "USDT"):
        await until(partial(_knows_its_balance, bot, asset))


def _knows_its_balance(bot: Bot, asset: str) -> bool:
    return bool(bot.available(asset) == bot.account.balances()[asset])


@pytest.mark.parametrize(
    ("side", "amount", "price", "kind", "refusal"),
    [
        ("buy", "0.01", 1_000, "LIMIT", (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")),
        ("sell", "5", 66_000, "LIMIT", (-2010, "Account has insufficient balance for requested action.")),
        ("buy", "0.01", 70_000, "LIMIT_MAKER", (-2010, "Order would immediately match and take.")),
        # What it knows of the rules it does not even ask.
        ("buy", "0.00001", 60_000, "LIMIT", None),
    ],
)  # fmt: skip
async def test_what_is_refused_fails_the_order_with_the_reason(
    bot: Bot, side: str, amount: str, price: int, kind: str, refusal: tuple[int, str] | None
) -> None:
    order_id = await bot.place(side, amount, price, kind)
    failure = await bot.event("MarketOrderFailureEvent", order_id)
    if refusal is None:
        assert "is lower than minimum notional size" in failure.error_message
    else:
        code, text = refusal
        assert f'{{"code":{code},"msg":"{text}"}}' in failure.error_message
    assert bot.connector.in_flight_orders == {}
    assert bot.account.open_orders(SYMBOL) == []


async def test_an_order_that_somebody_else_cancels_is_told(bot: Bot) -> None:
    order_id = await bot.rest_at("buy", "0.01", 60_000)
    bot.account.request("DELETE", "/api/v3/order", symbol=SYMBOL, origClientOrderId=order_id)
    await bot.event("OrderCancelledEvent", order_id)
    assert bot.connector.in_flight_orders == {}


async def test_an_order_that_the_exchange_does_not_know_is_given_up(bot: Bot) -> None:
    """By -2011 for each cancel, then by -2013 when it asks for the last time."""
    from hummingbot.core.data_type.common import OrderType, TradeType

    tracker = bot.connector._order_tracker
    bot.connector.start_tracking_order(
        "x-MG43PCSNneverplaced",
        "4711",
        PAIR,
        TradeType.BUY,
        Decimal(60_000),
        Decimal("0.01"),
        OrderType.LIMIT,
    )
    for _ in range(tracker.lost_order_count_limit + 1):
        await bot.connector._execute_cancel(PAIR, "x-MG43PCSNneverplaced")
    assert set(tracker.lost_orders) == {"x-MG43PCSNneverplaced"}
    await bot.event("MarketOrderFailureEvent", "x-MG43PCSNneverplaced")
    await bot.connector._update_lost_orders()
    await until(lambda: tracker.lost_orders == {})


@pytest.mark.bench_doors
async def test_it_follows_the_exchanges_clock(exchange: Exchange) -> None:
    exchange.bad_days.clock_skew(1_800_000)
    async with running(exchange, exchange.account(USDT=10_000)) as bot:
        await bot.rest_at("buy", "0.01", 60_000)
        # Its clock goes wrong by more than a request may be late: refused (-1021) it asks, and sends again.
        exchange.bad_days.over()
        exchange.bad_days.clock_skew(1_805_500)
        samples = bot.connector._time_synchronizer._time_offset_ms
        before = len(samples)
        await bot.rest_at("buy", "0.01", 59_000)
        assert len(samples) == before + 1
        exchange.bad_days.over()
        assert {row["clientOrderId"] for row in bot.account.open_orders()} == set(
            bot.connector.in_flight_orders
        )


async def test_what_it_tracked_is_restored_after_a_restart(exchange: Exchange) -> None:
    account = exchange.account(BTC=1, USDT=100_000)
    async with running(exchange, account) as first:
        filled = await first.rest_at("sell", "0.2", 65_500)
        kept = await first.rest_at("buy", "0.01", 60_000)
        saved = first.connector.tracking_states
    exchange.market(SYMBOL).walk_to(66_000)
    account.wait_for_fills(SYMBOL)
    async with running(exchange, account, saved) as second:
        completed = await second.event("SellOrderCompletedEvent", filled)
        assert completed.quote_asset_amount == 13_100
        truth = account.fills(SYMBOL)
        assert its_fees(second.events("OrderFilledEvent")) == {"USDT": sum(fill.fee for fill in truth)}
        assert set(second.connector.in_flight_orders) == {kept}
        (cancelled,) = await second.connector.cancel_all(30)
        assert (cancelled.order_id, cancelled.success) == (kept, True)
    assert account.open_orders() == []


@pytest.mark.bench_doors
async def test_a_fill_that_its_stream_does_not_tell_is_found_by_asking(
    exchange: Exchange, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream ends at the worst moment: it comes back by itself, and what it missed it asks for."""
    missed = await bot.rest_at("sell", "0.1", 65_000)
    torn = exchange.bad_days.disconnect_on_fill(bot.account)
    exchange.market(SYMBOL).walk_to(65_500)
    bot.account.wait_for_fills(SYMBOL)
    # Two minutes, while streams tell anything.
    monkeypatch.setattr(type(bot.connector), "LONG_POLL_INTERVAL", 1.0)
    completed = await bot.event("SellOrderCompletedEvent", missed)
    assert completed.quote_asset_amount == 6_500
    monkeypatch.undo()
    assert exchange.bad_days.happened()[torn] == 1
    heard = await bot.rest_at("sell", "0.1", 66_000)
    exchange.market(SYMBOL).walk_to(66_500)
    await bot.event("SellOrderCompletedEvent", heard)
    assert len(bot.events("OrderFilledEvent")) == len(bot.account.fills(SYMBOL))
