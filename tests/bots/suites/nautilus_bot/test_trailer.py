"""nautilus_trader as it is, on a live node: provider, data client, execution client; its stops and errors.

Binance's adapter there speaks JSON. For spot it neither modifies orders nor places lists whose orders cancel
each other: it refuses both itself.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bench import Account, Exchange

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("nautilus_trader")
# Its library keeps the first event loop that it has seen: all tests are on one.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SYMBOL = "BTCUSDT"
DEADLINE_S = 60


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account."""
    return exchange.account(BTC=1, USDT=200_000)


async def until(condition: Callable[[], Any]) -> Any:
    """What the condition says once it says something."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := condition()):
            await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def running(exchange: Exchange, account: Account, **config: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A node that trades for the account, and its strategy."""
    from nautilus_trader.adapters.binance import (
        BINANCE,
        BinanceDataClientConfig,
        BinanceExecClientConfig,
        BinanceLiveDataClientFactory,
        BinanceLiveExecClientFactory,
    )
    from nautilus_trader.config import (
        InstrumentProviderConfig,
        LiveExecEngineConfig,
        LiveRiskEngineConfig,
        LoggingConfig,
        TradingNodeConfig,
    )
    from nautilus_trader.live.node import TradingNode

    from tests.bots.suites.nautilus_bot.bot import Trailer, TrailerConfig

    where = {
        "api_key": account.api_key,
        "api_secret": account.secret_key,
        "base_url_http": exchange.url,
        "base_url_ws": exchange.url.replace("http", "ws", 1),
        "instrument_provider": InstrumentProviderConfig(load_all=True),
    }
    node = TradingNode(
        TradingNodeConfig(
            logging=LoggingConfig(log_level="WARNING", log_colors=False),
            # It would refuse before the exchange is asked.
            risk_engine=LiveRiskEngineConfig(bypass=True),
            exec_engine=LiveExecEngineConfig(reconciliation_startup_delay_secs=0.1),
            data_clients={BINANCE: BinanceDataClientConfig(**where)},
            exec_clients={BINANCE: BinanceExecClientConfig(**where)},
            timeout_post_stop=0.5,
        ),
        loop=asyncio.get_running_loop(),
    )
    strategy = Trailer(TrailerConfig(**config))
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()
    task = asyncio.create_task(node.run_async())
    try:
        await until(lambda: node.trader.is_running or task.done())
        async with asyncio.timeout(DEADLINE_S):
            # Streams tell of changes: a market that stands still has nothing to say.
            for cents in itertools.cycle((1, 0)):
                await asyncio.to_thread(exchange.market(SYMBOL).jump_to, f"65000.0{cents}")
                if strategy.quotes and strategy.deltas and not cents:
                    break
                await asyncio.sleep(0.1)
        yield node, strategy
    finally:
        await node.stop_async()
        await asyncio.wait([task], timeout=DEADLINE_S)
        node.kernel.dispose()


def told(strategy: Any, kind: str, order: Any) -> list[Any]:
    """The events of this kind about an order."""
    return [
        event
        for event in strategy.orders
        if type(event).__name__ == kind and event.client_order_id == order.client_order_id
    ]


def free(node: Any, code: str) -> Decimal:
    """What the node believes to have."""
    from nautilus_trader.adapters.binance import BINANCE_VENUE
    from nautilus_trader.model.objects import Currency

    money = node.portfolio.account(BINANCE_VENUE).balance_free(Currency.from_str(code))
    return Decimal(str(money.as_decimal()))


async def test_it_buys_moves_its_stop_up_and_is_stopped_out(exchange: Exchange, account: Account) -> None:
    from nautilus_trader.adapters.binance import BINANCE_VENUE

    market = exchange.market(SYMBOL)
    async with running(exchange, account, quantity=Decimal("0.5")) as (node, strategy):
        first = await until(lambda: strategy.stop_order)
        await until(lambda: told(strategy, "OrderAccepted", first))
        (waiting,) = account.open_orders(SYMBOL)
        assert (waiting["type"], waiting["isWorking"]) == ("STOP_LOSS_LIMIT", False)
        assert Decimal(waiting["stopPrice"]) == Decimal(str(first.trigger_price))
        await asyncio.to_thread(market.walk_to, 66_200)
        second = await until(lambda: strategy.stop_order is not first and strategy.stop_order)
        await until(lambda: told(strategy, "OrderAccepted", second))
        assert told(strategy, "OrderCanceled", first)
        assert second.trigger_price > first.trigger_price
        await asyncio.to_thread(market.walk_to, 64_800)
        await until(lambda: second.is_closed)
        fills = told(strategy, "OrderFilled", second)
        assert sum(Decimal(str(fill.last_qty)) for fill in fills) == Decimal("0.5")
        assert node.cache.positions_open() == []
        await until(lambda: free(node, "BTC") == account.balances()["BTC"])
        assert free(node, "USDT") == account.balances()["USDT"]
        # The state at the start, and one told for each order and fill at least.
        assert node.portfolio.account(BINANCE_VENUE).event_count > 3


async def test_the_market_is_seen_as_it_is(exchange: Exchange, account: Account) -> None:
    market = exchange.market(SYMBOL)
    async with running(exchange, account) as (node, strategy):
        await asyncio.to_thread(market.jump_to, 64_000)
        async with asyncio.timeout(DEADLINE_S):
            while not strategy.bars:
                await asyncio.to_thread(market.jump_to, 64_000)
                await asyncio.sleep(0.1)
        assert 64_000 in {Decimal(str(tick.price)) for tick in strategy.trades}
        assert strategy.bars[-1].close <= strategy.bars[-1].high
        await asyncio.to_thread(market.walk_to, 65_500)

        def agree() -> bool:
            book, seen = market.book(20), node.cache.order_book(strategy.instrument_id)
            ours = [
                [(Decimal(str(level.price)), Decimal(str(level.size()))) for level in side[:20]]
                for side in (seen.bids(), seen.asks())
            ]
            return [[(price, size.normalize()) for price, size in side] for side in ours] == [
                [(price, size.normalize()) for price, size in book[side]] for side in ("bids", "asks")
            ]

        await until(agree)
        quote = strategy.quotes[-1]
        assert Decimal(str(quote.bid_price)) < 65_500 < Decimal(str(quote.ask_price))


async def test_limit_orders_rest_are_filled_and_cancelled(exchange: Exchange, account: Account) -> None:
    from nautilus_trader.model.enums import OrderSide, TimeInForce

    async with running(exchange, account) as (_, strategy):
        resting = strategy.limit(OrderSide.BUY, Decimal("0.1"), Decimal(64_500), post_only=True)
        cancelled = strategy.limit(OrderSide.BUY, Decimal("0.1"), Decimal(60_000))
        iceberg = strategy.limit(
            OrderSide.SELL, Decimal("0.5"), Decimal(70_000), display_qty=strategy.instrument.make_qty(0.1)
        )
        for order in (resting, cancelled, iceberg):
            await until(lambda order=order: told(strategy, "OrderAccepted", order))
        shown = {row["clientOrderId"]: row for row in account.open_orders(SYMBOL)}
        assert shown[resting.client_order_id.value]["type"] == "LIMIT_MAKER"
        assert Decimal(shown[iceberg.client_order_id.value]["icebergQty"]) == Decimal("0.1")
        strategy.cancel_order(cancelled)
        await until(lambda: cancelled.is_closed)
        await asyncio.to_thread(exchange.market(SYMBOL).walk_to, 64_400)
        await until(lambda: resting.is_closed)
        (fill,) = told(strategy, "OrderFilled", resting)
        assert (Decimal(str(fill.last_px)), str(fill.commission.currency)) == (64_500, "BTC")
        killed = strategy.limit(OrderSide.BUY, Decimal("0.1"), Decimal(60_000), time_in_force=TimeInForce.IOC)
        await until(lambda: killed.is_closed)
        assert told(strategy, "OrderExpired", killed)
        strategy.cancel_all_orders(strategy.instrument_id)
        await until(lambda: iceberg.is_closed)
        assert account.open_orders(SYMBOL) == []


async def test_what_was_open_before_is_known_after_the_start(exchange: Exchange, account: Account) -> None:
    """Reconciliation: an order that somebody else placed, and one that was filled in part."""
    parameters = {"symbol": SYMBOL, "type": "LIMIT", "timeInForce": "GTC"}
    resting = account.request(
        "POST", "/api/v3/order", side="BUY", quantity="0.1", price="60000", **parameters
    )
    stop = account.request(
        "POST", "/api/v3/order", side="SELL", quantity="0.1", price="60000", stopPrice="61000",
        **{**parameters, "type": "STOP_LOSS_LIMIT"},
    )  # fmt: skip
    async with running(exchange, account) as (node, strategy):
        found = {order.venue_order_id.value: order for order in node.cache.orders_open()}
        assert set(found) == {str(resting["orderId"]), str(stop["orderId"])}
        assert found[str(stop["orderId"])].trigger_price == Decimal(61_000)
        assert free(node, "USDT") == account.balances()["USDT"] == 194_000
        strategy.cancel_order(found[str(resting["orderId"])])
        await until(lambda: found[str(resting["orderId"])].is_closed)
        assert [row["orderId"] for row in account.open_orders(SYMBOL)] == [stop["orderId"]]


async def test_refusals_are_told_with_their_codes(exchange: Exchange, account: Account) -> None:
    from nautilus_trader.model.enums import OrderSide

    async with running(exchange, account) as (_, strategy):

        async def reason(order: Any) -> str:
            (event,) = await until(lambda: told(strategy, "OrderRejected", order))
            return str(event.reason)

        assert "insufficient balance" in await reason(strategy.market(OrderSide.SELL, Decimal(50)))
        assert "NOTIONAL" in await reason(strategy.market(OrderSide.SELL, Decimal("0.00001")))
        taking = strategy.limit(OrderSide.BUY, Decimal("0.1"), Decimal(70_000), post_only=True)
        assert "immediately match" in await reason(taking)
        wrong = strategy.stop_limit(OrderSide.SELL, Decimal("0.1"), Decimal(69_000), Decimal(70_000))
        assert "trigger immediately" in await reason(wrong)
        # Cancelled behind its back, and asked for before it has heard of that or after: either is told.
        resting = strategy.limit(OrderSide.BUY, Decimal("0.1"), Decimal(60_000))
        await until(lambda: told(strategy, "OrderAccepted", resting))
        account.request("DELETE", "/api/v3/openOrders", symbol=SYMBOL)
        await until(lambda: resting.is_closed)
        assert told(strategy, "OrderCanceled", resting)


async def test_the_provider_knows_instruments_and_fees(exchange: Exchange, account: Account) -> None:
    from nautilus_trader.adapters.binance import BinanceAccountType, BinanceSpotInstrumentProvider
    from nautilus_trader.adapters.binance.http.client import BinanceHttpClient
    from nautilus_trader.adapters.binance.http.error import BinanceClientError
    from nautilus_trader.adapters.binance.spot.http.account import BinanceSpotAccountHttpAPI
    from nautilus_trader.common.component import LiveClock

    clock = LiveClock()

    def connected(who: Account) -> Any:
        return BinanceHttpClient(clock, who.api_key, who.secret_key, exchange.url)

    provider = BinanceSpotInstrumentProvider(connected(account), clock)
    await provider.load_all_async()
    instruments = {str(instrument.id): instrument for instrument in provider.list_all()}
    assert set(instruments) >= {"BTCUSDT.BINANCE", "ETHUSDT.BINANCE", "ETHBTC.BINANCE"}
    bitcoin = instruments["BTCUSDT.BINANCE"]
    assert (bitcoin.price_increment, bitcoin.size_increment) == (Decimal("0.01"), Decimal("0.00001"))
    assert (bitcoin.maker_fee, bitcoin.taker_fee) == (Decimal("0.001"), Decimal("0.001"))
    assert bitcoin.min_notional.as_decimal() == 5

    api = BinanceSpotAccountHttpAPI(connected(account), clock, BinanceAccountType.SPOT)
    with pytest.raises(BinanceClientError) as unknown:
        await api.query_order(symbol=SYMBOL, order_id=987_654_321)
    assert (unknown.value.status, unknown.value.message["code"]) == (400, -2013)
    stranger = connected(replace(account, secret_key="x" * 64))
    api = BinanceSpotAccountHttpAPI(stranger, clock, BinanceAccountType.SPOT)
    with pytest.raises(BinanceClientError) as forged:
        await api.query_spot_account_info()
    assert forged.value.message["code"] == -1022
    # Without fees it loads nothing at all: a client that is not let in trades nothing by mistake.
    empty = BinanceSpotInstrumentProvider(stranger, clock)
    await empty.load_all_async()
    assert empty.list_all() == []
