"""The stopper's own suite: python-binance, streams, and an exchange that has a bad day."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench import Account, Exchange
from tests.bots.suites.stopper_bot.bot import Stopper

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account, which is long."""
    return exchange.account(BTC=1)


@pytest.fixture
async def client(exchange: Exchange, account: Account) -> AsyncIterator[Any]:
    """What the bot trades with."""
    made = await exchange.clients.python_binance_async(account)
    yield made
    await made.close_connection()


async def stopped(exchange: Exchange, client: Any, *prices: int) -> dict[str, Any]:
    """Let the bot watch while the price goes through `prices`; what it has sold."""
    bot = Stopper(client, quantity="0.5", stop=64_000)
    running = asyncio.create_task(bot.run())
    await bot.watching.wait()
    for price in prices:
        await asyncio.to_thread(exchange.market("BTCUSDT").walk_to, price)
    async with asyncio.timeout(60):
        while not running.done():
            # The market goes on trading where it is: a stream that was cut has something to tell again.
            await asyncio.to_thread(exchange.market("BTCUSDT").jump_to, prices[-1])
            await asyncio.sleep(0.05)
        return await running


async def test_it_sells_when_the_stop_is_reached(exchange: Exchange, account: Account, client: Any) -> None:
    sold = await stopped(exchange, client, 64_500, 66_000, 63_900)
    assert sold["status"] == "FILLED"
    assert account.balances()["USDT"] > 31_000


@pytest.mark.bench_doors
async def test_it_waits_when_it_is_told_to(exchange: Exchange, account: Account, client: Any) -> None:
    exchange.bad_days.too_many_requests(account=account, retry_after_ms=1_000, path="/api/v3/order")
    assert (await stopped(exchange, client, 63_900))["status"] == "FILLED"


@pytest.mark.bench_doors
async def test_it_follows_the_server_s_clock(exchange: Exchange, client: Any) -> None:
    exchange.bad_days.clock_skew(30_000)
    assert (await stopped(exchange, client, 63_900))["status"] == "FILLED"


@pytest.mark.bench_doors
async def test_it_comes_back_after_a_disconnect(exchange: Exchange, client: Any) -> None:
    exchange.bad_days.disconnect()
    assert (await stopped(exchange, client, 64_500, 63_900))["status"] == "FILLED"
