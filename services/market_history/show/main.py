"""Shows what the history holds: `python -m services.market_history.show.main BTCUSDT --interval 1h`.

Reads the tables that the settings name (EXCHANGE_MARKET_HISTORY). Times are UTC.
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.adapters.chosen.market_history import open_market_history
from exchange.ports.world import HistoryError
from exchange.process.config import Settings, SettingsError
from exchange.trading.candles import Candle
from exchange.trading.intervals import INTERVALS
from exchange.trading.market import Market
from exchange.trading.trades import Trade
from exchange.wall_clock import clock_ms
from services.market_history.reader import ITEMS_MAX, HistoryReader

__all__ = ["app"]

_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_LIMIT: Final = 50

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def show(
    symbol: Annotated[str, typer.Argument(help="Market, such as BTCUSDT.")],
    interval: Annotated[str, typer.Option(help=f"Of candles: {', '.join(INTERVALS)}.")] = "1m",
    trades: Annotated[bool, typer.Option("--trades", help="Trades instead of candles.")] = False,
    start: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="From this time on.")] = None,
    end: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="Up to this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=ITEMS_MAX, help="How many.")] = _LIMIT,
) -> None:
    """Print candles or trades as a table."""
    if interval not in INTERVALS:
        raise typer.BadParameter(f"{interval} is none of {', '.join(INTERVALS)}", param_hint="--interval")
    try:
        table = asyncio.run(_table(symbol.upper(), interval, trades, _ms(start), _ms(end), limit))
    except (HistoryError, SettingsError) as error:
        typer.echo(f"market history: {error}", err=True)
        raise typer.Exit(1) from None
    Console().print(table)


async def _table(
    symbol: str, interval: str, trades: bool, start_ms: int | None, end_ms: int | None, limit: int
) -> Table:
    settings = Settings.load()
    now_ms = clock_ms()
    async with open_market_history(settings) as tables:
        reader = HistoryReader(
            tables.candles, tables.trades, shard=settings.shard, key_shards=settings.market_history_shards
        )
        market = await reader.market(symbol)
        if market is None:
            raise HistoryError(f"no market {symbol}")
        if trades:
            last_ms = now_ms if end_ms is None else end_ms
            seen = await reader.trades(symbol, start_ms=start_ms, end_ms=last_ms, limit=limit)
            return _trade_table(market, seen)
        found = await reader.candles(
            symbol, INTERVALS[interval], now_ms=now_ms, start_ms=start_ms, end_ms=end_ms, limit=limit
        )
        return _candle_table(market, interval, found)


def _candle_table(market: Market, interval: str, candles: list[Candle]) -> Table:
    table = _new_table(
        f"{market.symbol} {interval}", "open time", "open", "high", "low", "close",
        f"volume {market.base.code}", f"volume {market.quote.code}", "trades",
    )  # fmt: skip
    for candle in candles:
        prices = (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks)
        table.add_row(
            _time(candle.open_ms),
            *map(market.price, prices),
            market.quantity(candle.quantity_lots),
            market.quote_amount(candle.quote_atoms),
            str(candle.count),
        )
    return table


def _trade_table(market: Market, trades: list[Trade]) -> Table:
    table = _new_table(f"{market.symbol} trades", "id", "time", "price", "quantity", "taker")
    for trade in trades:
        table.add_row(
            str(trade.id),
            _time(trade.time_ms),
            market.price(trade.price_ticks),
            market.quantity(trade.quantity_lots),
            "sells" if trade.buyer_is_maker else "buys",
        )
    return table


def _new_table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _ms(when: datetime | None) -> int | None:
    return None if when is None else int(when.replace(tzinfo=UTC).timestamp()) * 1000


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


if __name__ == "__main__":
    app()
