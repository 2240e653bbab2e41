"""The strategy's own suite: freqtrade's own bot, tick by tick, and a price that the test moves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import Exchange

# Not in this project's environment: tests/bots/test_strangers.py makes one in which this suite runs.
pytest.importorskip("freqtrade")

PAIR = "BTC/USDT"
STAKE = 1_000


@pytest.fixture
def bot(exchange: Exchange, tmp_path: Path) -> Iterator[Any]:
    """Freqtrade as `freqtrade trade --config` starts it, without its loop."""
    from freqtrade.configuration import Configuration
    from freqtrade.enums import RunMode
    from freqtrade.freqtradebot import FreqtradeBot

    file = tmp_path / "config.json"
    file.write_text(json.dumps(configuration(exchange.clients.ccxt_config())), "utf-8")
    made = FreqtradeBot(
        Configuration({"config": [str(file)], "user_data_dir": str(tmp_path)}, RunMode.DRY_RUN).get_config()
    )
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


def test_it_lives_through_a_bad_minute(exchange: Exchange, bot: Any) -> None:
    """429 on what it asks: freqtrade waits and asks again."""
    exchange.bad_days.too_many_requests(times=2, retry_after_ms=1_000, path="/api/v3/klines")
    ticks(bot, 3)
    assert len(trades(bot)[0]) == 1
