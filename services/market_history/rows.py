"""Candles, trades, markets and positions as rows of tables, and back. Pure.

A row's key follows from what it says, so whoever writes an event twice writes one row. One key takes 1,000
writes a second, so the rows of a market are spread over `key_shards` of them by their numbers: trades as
`BTCUSDT#3` by id, candles as `BTCUSDT#1m#3` by their place in time. Beside the candles, in series that no
symbol is like: `assets#0` and `markets#0`, what shard 0's log has said of them, and `position#0#lake`.
"""

from typing import Final

from exchange.contracts.codec import field_names
from exchange.contracts.events import AssetRegistered, MarketRegistered
from exchange.log.event_tail import TailPosition
from exchange.ports.world import HistoryError, HistoryRow
from exchange.trading.candles import Candle
from exchange.trading.intervals import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS
from exchange.trading.trades import Trade

__all__ = [
    "NEWEST_TRADE",
    "Retention",
    "asset_of",
    "asset_row",
    "asset_series",
    "candle_of",
    "candle_row",
    "candle_series",
    "market_of",
    "market_row",
    "market_series",
    "position_of",
    "position_row",
    "position_series",
    "trade_of",
    "trade_row",
    "trade_series",
]

# The value by which one state of a candle is newer than another.
NEWEST_TRADE: Final = "last_id"
_STEP_NAMES: Final = {SECOND_MS: "1s", MINUTE_MS: "1m", QUARTER_MS: "15m", HOUR_MS: "1h", DAY_MS: "1d"}
_CANDLE_FIELDS: Final = tuple(name for name in Candle.__slots__ if name != "open_ms")
_MARKET_FIELDS: Final = field_names(MarketRegistered)


class Retention:
    """How long rows are kept. What would be gone already is not written at all.

    DynamoDB looks for what has expired within the last five years only.
    """

    def __init__(self, trades_days: int, seconds_days: int) -> None:
        self._trades_ms = trades_days * DAY_MS
        self._seconds_ms = seconds_days * DAY_MS

    def trade_expires_s(self, time_ms: int) -> int:
        """When a trade of this time may go, in seconds since 1970."""
        return (time_ms + self._trades_ms) // 1000

    def candle_expires_s(self, step_ms: int, open_ms: int) -> int | None:
        """The same of a candle; None for those that stay."""
        return (open_ms + self._seconds_ms) // 1000 if step_ms == SECOND_MS else None


def trade_series(symbol: str, key_shard: int) -> str:
    """Key of trades."""
    return f"{symbol}#{key_shard}"


def trade_row(symbol: str, trade: Trade, key_shards: int, retention: Retention) -> HistoryRow:
    """A trade. Whose it was is not in it; the taker's order joins aggregate trades."""
    return HistoryRow(
        trade_series(symbol, trade.id % key_shards),
        trade.id,
        {
            "time_ms": trade.time_ms,
            "price_ticks": trade.price_ticks,
            "quantity_lots": trade.quantity_lots,
            "quote_atoms": trade.quote_atoms,
            "buyer_is_maker": int(trade.buyer_is_maker),
            "taker_order_id": trade.taker_order_id,
        },
        retention.trade_expires_s(trade.time_ms),
    )


def trade_of(row: HistoryRow) -> Trade:
    """Undo `trade_row`. Raises HistoryError."""
    return Trade(
        row.number,
        _integer(row, "time_ms"),
        _integer(row, "price_ticks"),
        _integer(row, "quantity_lots"),
        _integer(row, "quote_atoms"),
        bool(_integer(row, "buyer_is_maker")),
        _integer(row, "taker_order_id"),
    )


def candle_series(symbol: str, step_ms: int, key_shard: int) -> str:
    """Key of candles of one step."""
    return f"{symbol}#{_STEP_NAMES[step_ms]}#{key_shard}"


def candle_row(
    symbol: str, step_ms: int, candle: Candle, key_shards: int, retention: Retention
) -> HistoryRow:
    """A candle as it is now."""
    return HistoryRow(
        candle_series(symbol, step_ms, candle.open_ms // step_ms % key_shards),
        candle.open_ms,
        {name: getattr(candle, name) for name in _CANDLE_FIELDS},
        retention.candle_expires_s(step_ms, candle.open_ms),
    )


def candle_of(row: HistoryRow) -> Candle:
    """Undo `candle_row`. Raises HistoryError."""
    candle = Candle(row.number, 0)
    for name in _CANDLE_FIELDS:
        setattr(candle, name, _integer(row, name))
    return candle


def asset_series(shard: int) -> str:
    """Key of a shard's assets."""
    return f"assets#{shard}"


def asset_row(shard: int, event: AssetRegistered) -> HistoryRow:
    """What the log says of an asset."""
    return HistoryRow(asset_series(shard), event.asset_id, {"code": event.code, "decimals": event.decimals})


def asset_of(row: HistoryRow) -> AssetRegistered:
    """Undo `asset_row`. Raises HistoryError."""
    return AssetRegistered(row.number, str(row.values.get("code", "")), _integer(row, "decimals"))


def market_series(shard: int) -> str:
    """Key of a shard's markets."""
    return f"markets#{shard}"


def market_row(shard: int, event: MarketRegistered) -> HistoryRow:
    """What the log says of a market."""
    return HistoryRow(
        market_series(shard), event.market_id, {name: getattr(event, name) for name in _MARKET_FIELDS}
    )


def market_of(row: HistoryRow) -> MarketRegistered:
    """Undo `market_row`. Raises HistoryError."""
    try:
        return MarketRegistered(**{name: row.values[name] for name in _MARKET_FIELDS})  # type: ignore[arg-type]
    except KeyError as error:
        raise HistoryError(f"market {row.number} has no {error}") from error


def position_series(shard: int, follower: str) -> str:
    """Key of a follower's position."""
    return f"position#{shard}#{follower}"


def position_row(shard: int, follower: str, position: TailPosition) -> HistoryRow:
    """Where a follower stands: everything up to here is written."""
    return HistoryRow(
        position_series(shard, follower),
        0,
        {"seq": position.seq, "hash": position.hash.hex(), "next_offset": position.next_offset},
    )


def position_of(row: HistoryRow) -> TailPosition:
    """Undo `position_row`. Raises HistoryError."""
    try:
        digest = bytes.fromhex(str(row.values.get("hash")))
    except ValueError as error:
        raise HistoryError(f"{row.series} has no hash") from error
    return TailPosition(_integer(row, "seq"), digest, _integer(row, "next_offset"))


def _integer(row: HistoryRow, name: str) -> int:
    value = row.values.get(name)
    if not isinstance(value, int):
        raise HistoryError(f"row {row.number} of {row.series} has no whole number {name}")
    return value
