"""The grid bot's own suite: ccxt, prices that move, and the two ways of not knowing."""

import pytest

from bench import Account, Exchange
from tests.bots.suites.grid_bot.bot import GridBot

pytestmark = pytest.mark.slow


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """The bot's account."""
    return exchange.account(USDT=100_000)


@pytest.fixture
def bot(exchange: Exchange, account: Account) -> GridBot:
    """The bot, before it has begun."""
    return GridBot(exchange.clients.ccxt(account), steps=3, gap=200, amount=0.01)


def test_it_buys_low_and_sells_high(exchange: Exchange, account: Account, bot: GridBot) -> None:
    market = exchange.market("BTCUSDT")
    bot.start()
    assert len(account.open_orders("BTCUSDT")) == 3
    market.walk_to(64_500)
    bot.poll()
    assert len(bot.sells) == 2
    market.walk_to(65_100)
    fills = account.wait_for_fills("BTCUSDT", 4)
    assert [fill.side for fill in fills] == ["BUY", "BUY", "SELL", "SELL"]
    assert [fill.price for fill in fills] == [64_800, 64_600, 64_800, 65_000]
    # Two steps of 200 on a hundredth each, less the sells' fees; what the buys' fees took could not be sold.
    assert 100_000 < account.balances()["USDT"] + account.locked()["USDT"] < 100_004
    assert "BTC" not in account.balances()


@pytest.mark.bench_doors
@pytest.mark.parametrize("with_effect", [True, False])
def test_it_places_once_when_the_answer_is_lost(
    exchange: Exchange, account: Account, bot: GridBot, with_effect: bool
) -> None:
    exchange.bad_days.unknown(account=account, with_effect=with_effect)
    bot.start()
    assert len(account.open_orders("BTCUSDT")) == 3


@pytest.mark.bench_doors
def test_it_survives_a_cut_connection(exchange: Exchange, account: Account, bot: GridBot) -> None:
    exchange.bad_days.hang_up(account=account)
    bot.start()
    assert len(account.open_orders("BTCUSDT")) == 3
