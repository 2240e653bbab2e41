"""The strategy's own suite: freqtrade's own bot, tick by tick, and a price that the test moves.

In dry run, and in earnest with `stoploss_on_exchange`.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import Account, BenchError, Exchange

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("freqtrade")

PAIR = "BTC/USDT"
SYMBOL = "BTCUSDT"
STAKE = 1_000
FIRST_CANDLE_DEADLINE_S = 130


@pytest.fixture(scope="session", autouse=True)
def candles(bench_exchange: Exchange) -> None:
    """A strategy is asked when a candle is over: an exchange without a past has none in its first minute."""
    give_up = time.monotonic() + FIRST_CANDLE_DEADLINE_S
    while len(bench_exchange.ask("GET", f"/api/v3/klines?symbol={SYMBOL}&interval=1m&limit=2")) < 2:
        if time.monotonic() >= give_up:
            raise BenchError("no minute has ended")
        bench_exchange.market(SYMBOL).jump_to(65_000)
        time.sleep(1)


def started(config: dict[str, Any], folder: Path) -> Any:
    """Freqtrade as `freqtrade trade --config` starts it, without its loop."""
    from freqtrade.configuration import Configuration
    from freqtrade.enums import RunMode
    from freqtrade.freqtradebot import FreqtradeBot

    file = folder / "config.json"
    file.write_text(json.dumps(config), "utf-8")
    mode = RunMode.DRY_RUN if config["dry_run"] else RunMode.LIVE
    made = FreqtradeBot(
        Configuration({"config": [str(file)], "user_data_dir": str(folder)}, mode).get_config()
    )
    made.startup()
    return made


@pytest.fixture
def bot(exchange: Exchange, tmp_path: Path) -> Iterator[Any]:
    """In dry run: prices are the exchange's, orders are its own."""
    made = started(configuration(exchange.clients.ccxt_config()), tmp_path)
    yield made
    made.cleanup()


@pytest.fixture
def account(exchange: Exchange) -> Account:
    """With which it trades in earnest."""
    return exchange.account(USDT=10_000)


@pytest.fixture
def live(exchange: Exchange, account: Account, tmp_path: Path) -> Iterator[Any]:
    """In earnest: its stop waits on the exchange."""
    config = configuration(exchange.clients.ccxt_config())
    config["dry_run"] = False
    config["exchange"] |= {"key": account.api_key, "secret": account.secret_key}
    config["order_types"] = {
        "entry": "market", "exit": "market", "stoploss": "limit", "stoploss_on_exchange": True,
        "stoploss_on_exchange_limit_ratio": 0.99,
    }  # fmt: skip
    made = started(config, tmp_path)
    yield made
    made.cleanup()


def configuration(ccxt_config: dict[str, Any]) -> dict[str, Any]:
    """What stands in config.json; of the exchange nothing but where it is."""
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return {
        "dry_run": True,
        "initial_state": "running",
        "dry_run_wallet": 10_000,
        "db_url": "sqlite://",
        "max_open_trades": 1,
        "stake_currency": "USDT",
        "stake_amount": STAKE,
        "trading_mode": "spot",
        "strategy": "BuyAndTakeProfit",
        "strategy_path": str(Path(__file__).parent),
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {
            "name": "binance",
            "pair_whitelist": [PAIR],
            "enable_ws": False,
            "ccxt_config": ccxt_config,
        },
    }


def trades(bot: Any) -> tuple[list[Any], list[Any]]:
    """What is open, and what has been closed."""
    from freqtrade.persistence import Trade

    return Trade.get_open_trades(), Trade.get_trades_proxy(is_open=False)


def ticks(bot: Any, count: int) -> None:
    """So many rounds of the bot: candles are read, entered, filled, left."""
    for _ in range(count):
        bot.process()


def test_it_buys_at_the_market_and_takes_its_profit(exchange: Exchange, bot: Any) -> None:
    market = exchange.market("BTCUSDT")
    ticks(bot, 2)
    ((trade,), closed) = trades(bot)
    assert closed == []
    assert trade.open_rate == float(market.book()["asks"][0][0])
    assert STAKE * 0.98 < trade.stake_amount <= STAKE
    market.walk_to(67_000)
    ticks(bot, 2)
    _, (sold,) = trades(bot)
    assert sold.exit_reason == "roi"
    assert sold.close_rate > 66_900
    assert sold.close_profit_abs > 0


def test_it_is_stopped_out_when_the_price_falls(exchange: Exchange, bot: Any) -> None:
    ticks(bot, 2)
    exchange.market("BTCUSDT").walk_to(61_000)
    ticks(bot, 2)
    _, (sold,) = trades(bot)
    assert sold.exit_reason == "stop_loss"
    assert sold.close_profit_abs < 0


@pytest.mark.bench_doors
def test_it_lives_through_a_bad_minute(exchange: Exchange, bot: Any) -> None:
    """429 on what it asks: freqtrade waits and asks again."""
    exchange.bad_days.too_many_requests(times=2, retry_after_ms=1_000, path="/api/v3/klines")
    ticks(bot, 3)
    assert len(trades(bot)[0]) == 1


def entered(live: Any, account: Account) -> tuple[Any, dict[str, Any]]:
    """The trade that it has begun, and the stop that it has placed for it."""
    ticks(live, 3)
    ((trade,), closed) = trades(live)
    assert closed == []
    (bought,) = account.fills(SYMBOL)
    assert bought.side == "BUY"
    assert trade.open_rate == float(bought.price)
    (stop,) = account.open_orders(SYMBOL)
    assert (stop["side"], stop["type"], stop["isWorking"]) == ("SELL", "STOP_LOSS_LIMIT", False)
    assert float(stop["stopPrice"]) == pytest.approx(trade.stop_loss, abs=0.02)
    assert float(stop["origQty"]) == trade.amount
    return trade, stop


def test_its_stop_on_the_exchange_ends_the_trade(exchange: Exchange, account: Account, live: Any) -> None:
    _, stop = entered(live, account)
    exchange.market(SYMBOL).walk_to(61_000)
    account.wait_for_fills(SYMBOL, 2)
    ticks(live, 2)
    opened, (sold,) = trades(live)
    assert opened == []
    assert sold.exit_reason == "stoploss_on_exchange"
    fills = [fill for fill in account.fills(SYMBOL) if fill.side == "SELL"]
    assert {fill.order_id for fill in fills} == {stop["orderId"]}
    assert float(stop["price"]) <= sold.close_rate <= float(stop["stopPrice"])
    assert sold.close_profit_abs < 0
    assert account.open_orders(SYMBOL) == []


def test_it_takes_its_stop_back_to_take_its_profit(exchange: Exchange, account: Account, live: Any) -> None:
    _, stop = entered(live, account)
    exchange.market(SYMBOL).walk_to(67_000)
    ticks(live, 2)
    opened, (sold,) = trades(live)
    assert opened == []
    assert sold.exit_reason == "roi"
    assert sold.close_profit_abs > 0
    left = account.request("GET", "/api/v3/order", symbol=SYMBOL, orderId=stop["orderId"])
    assert left["status"] == "CANCELED"
    assert account.open_orders(SYMBOL) == []
    assert account.balances()["USDT"] > 10_000


def test_it_places_its_stop_again_when_somebody_has_cancelled_it(account: Account, live: Any) -> None:
    _, stop = entered(live, account)
    account.request("DELETE", "/api/v3/order", symbol=SYMBOL, orderId=stop["orderId"])
    ticks(live, 2)
    (again,) = account.open_orders(SYMBOL)
    assert again["orderId"] != stop["orderId"]
    assert again["stopPrice"] == stop["stopPrice"]


def test_what_it_is_refused_it_knows(live: Any) -> None:
    """By its own exceptions, which its bot acts upon."""
    from freqtrade.exceptions import InsufficientFundsError, InvalidOrderException, TemporaryError

    order = {"pair": PAIR, "ordertype": "market", "side": "sell", "rate": 65_000, "leverage": 1.0}
    with pytest.raises(InsufficientFundsError):
        live.exchange.create_order(**order, amount=5)
    # What a filter refuses is a bad request to ccxt, and so no broken order to freqtrade.
    with pytest.raises(TemporaryError, match="NOTIONAL"):
        live.exchange.create_order(**order, amount=0.00001)
    with pytest.raises(InvalidOrderException):
        live.exchange.cancel_order("987654321", PAIR)
