"""Names of streams and what they ask for (binance-spot-api, section 4)."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from exchange.trading.intervals import INTERVALS, Interval, parse_time_zone
from services.market_data.markets.windows import WINDOWS

__all__ = ["NAME_LENGTH_MAX", "StreamName", "is_listen_key", "parse_stream_name"]

NAME_LENGTH_MAX: Final = 128
_LISTEN_KEY: Final = re.compile(r"[A-Za-z0-9]{60,64}", re.ASCII)
_DEPTH: Final = re.compile(r"depth(5|10|20)?(@100ms|@1000ms)?", re.ASCII)
# The one zone beside UTC that streams have: each zone of an interval is a stream, and work, of its own.
_KLINE: Final = re.compile(r"kline_([0-9]{1,2}[smhdwM])(?:@(\+08:00))?", re.ASCII)
_ALL_MARKETS: Final = {
    "!miniTicker@arr": "miniTicker",
    # The update speed that older documentation had; python-binance still asks for it.
    "!miniTicker@arr@1000ms": "miniTicker",
    "!miniTicker@arr@3000ms": "miniTicker",
    "!ticker@arr": "ticker",
    "!bookTicker": "bookTicker",
    **{f"!ticker_{window}@arr": f"ticker_{window}" for window in WINDOWS},
}
_SIMPLE: Final = frozenset(
    # Nothing is ever sent to blockTrade: nobody trades beside the books.
    {"trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice", "referencePrice", "blockTrade"}
    | {f"ticker_{window}" for window in WINDOWS}
)


class StreamName(NamedTuple):
    """A stream's parts. `kind` groups streams that one timer or event feeds; all markets' begin with !.

    `levels`: of a partial depth stream, else 0. `interval`: of a kline stream.
    """

    kind: str
    symbol: str
    levels: int = 0
    interval: Interval | None = None


def is_listen_key(name: str) -> bool:
    """Whether a name has the form of a listen key, and so asks for somebody's user data."""
    return _LISTEN_KEY.fullmatch(name) is not None


@lru_cache(maxsize=16_384)
def parse_stream_name(name: str) -> StreamName | None:
    """The parts of a name, None for one that nothing is ever sent to. Symbols must be in lower case."""
    if name.startswith("!"):
        kind = _ALL_MARKETS.get(name)
        return StreamName("!" + kind, "") if kind else None
    symbol, _, rest = name.partition("@")
    if not symbol or not rest or symbol != symbol.lower():
        return None
    symbol = symbol.upper()
    if rest in _SIMPLE:
        return StreamName(rest, symbol)
    if match := _DEPTH.fullmatch(rest):
        speed = "fast" if match[2] == "@100ms" else "slow"
        return StreamName(f"{'partial' if match[1] else 'depth'}_{speed}", symbol, int(match[1] or 0))
    if match := _KLINE.fullmatch(rest):
        interval = INTERVALS.get(match[1])
        offset_ms = parse_time_zone(match[2]) if match[2] else 0
        if interval is not None and offset_ms is not None:
            return StreamName("kline", symbol, 0, interval.in_zone(offset_ms))
    return None
