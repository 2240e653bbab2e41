"""What the front page says of each market, as texts. Pure: no clock, no I/O."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from exchange.contracts.codes import MODE_TRADING
from exchange.trading.intervals import DAY_MS, HOUR_MS
from exchange.trading.market import Market
from services.market_data.front.words import Language
from services.market_data.markets.state import MarketView
from services.market_data.markets.texts import percent_text

__all__ = ["ROWS_MAX", "SPARK_HEIGHT", "SPARK_WIDTH", "Row", "front_rows", "readable"]

# More than anybody reads; the terminal has a list with a search for the others.
ROWS_MAX: Final = 100
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 28
_MARGIN: Final = 2
_NOTHING: Final = "\N{EN DASH}"
_HOURS: Final = DAY_MS // HOUR_MS
_AMOUNT_DECIMALS: Final = 2


class Row(NamedTuple):
    """One market. `look`: "up", "down" or "". `points`: of the sparkline, "" without any trade."""

    symbol: str
    base: str
    quote: str
    is_open: bool
    last: str
    change: str
    look: str
    high: str
    low: str
    turnover: str
    points: str


def front_rows(views: Iterable[MarketView], now_ms: int, language: Language) -> list[Row]:
    """Rows of the markets with the most trades within a day, ROWS_MAX at most; the busiest first."""
    counted = []
    for view in views:
        window = view.windows["1d"]
        window.advance(now_ms)
        counted.append((window.statistics(), view))
    counted.sort(key=lambda pair: (-pair[0].trade_count, pair[1].market.symbol))
    rows = []
    for stats, view in counted[:ROWS_MAX]:
        market = view.market
        change = percent_text(stats.open_ticks, stats.last_ticks)[:-1]
        is_down = change.startswith("-") and change.strip("-0.") != ""
        look = "down" if is_down else "up" if change.strip("-0.") else ""
        sign = "+" if look == "up" else ""
        rows.append(
            Row(
                symbol=market.symbol,
                base=market.base.code,
                quote=market.quote.code,
                is_open=market.mode == MODE_TRADING,
                last=_price(market, stats.last_ticks, language),
                change=sign + readable(change if look else change.removeprefix("-"), language),
                look=look,
                high=_price(market, stats.high_ticks, language),
                low=_price(market, stats.low_ticks, language),
                turnover=readable(_cut(market.quote_amount(stats.quote_atoms), _AMOUNT_DECIMALS), language),
                points=_points(view, now_ms),
            )
        )
    return rows


def readable(text: str, language: Language) -> str:
    """A number as people of that language write it, thousands apart. `text`: digits, a point, a sign."""
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.removeprefix("-").partition(".")
    if len(whole) >= language.grouped_from:
        whole = f"{int(whole):,}".replace(",", language.group)
    return f"{sign}{whole}{language.point}{fraction}" if fraction else f"{sign}{whole}"


def _price(market: Market, price_ticks: int, language: Language) -> str:
    if not price_ticks:
        return _NOTHING
    tick = market.price(1).rstrip("0")
    decimals = max(_AMOUNT_DECIMALS, len(tick.partition(".")[2]))
    return readable(_cut(market.price(price_ticks), decimals), language)


def _cut(text: str, decimals: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction[:decimals].ljust(decimals, '0')}"


def _points(view: MarketView, now_ms: int) -> str:
    """The last price of each hour of the day as points of a line, in whole pixels: a picture, not money."""
    start_ms = now_ms - now_ms % HOUR_MS - (_HOURS - 1) * HOUR_MS
    earlier = view.candles.hours.last_before(start_ms)
    price = earlier.close_ticks if earlier else 0
    closes = {
        candle.open_ms: candle.close_ticks for candle in view.candles.hours.between(start_ms, now_ms + 1)
    }
    prices = []
    for hour in range(_HOURS):
        price = closes.get(start_ms + hour * HOUR_MS, price)
        prices.append((hour, price))
    known = [(hour, price) for hour, price in prices if price]
    if not known:
        return ""
    low = min(price for _, price in known)
    span = max(price for _, price in known) - low
    height = SPARK_HEIGHT - 2 * _MARGIN
    points = []
    for hour, price in known:
        x = hour * SPARK_WIDTH // (_HOURS - 1)
        y = SPARK_HEIGHT - _MARGIN - (price - low) * height // span if span else SPARK_HEIGHT // 2
        points.append(f"{x},{y}")
    return " ".join(points)
