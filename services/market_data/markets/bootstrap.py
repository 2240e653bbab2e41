"""Start-up: the state as PostgreSQL has it, all of it read in one snapshot at positions.last_seq.

Read: rules, the levels of open orders, the newest trades, and candles summed up by the database. From
`positions.next_offset` on the event log goes on with it.
"""

from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.contracts.codec import EMPTY_CHAIN_HASH, field_names
from exchange.contracts.codes import NEW, PARTIALLY_FILLED
from exchange.contracts.events import MarketRegistered
from exchange.log.event_tail import TailPosition
from exchange.process.readers import Readers
from exchange.trading.candles import Series
from exchange.trading.intervals import DAY_MS, HOUR_MS
from exchange.trading.market import Asset
from exchange.trading.trades import RING_SIZE_MAX, aggregate
from services.market_data.markets.history import CANDLES_MAX, read_candles, read_newest_trades
from services.market_data.markets.state import MarketState, MarketView

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

__all__ = ["load_state"]

# A cold start may have years of trades to sum up; nobody waits for it but the load balancer.
_QUERY_DEADLINE_S: Final = 120.0
_SECONDS_LOADED_MS: Final = 2 * HOUR_MS
_MINUTES_LOADED_MS: Final = 60 * DAY_MS
_QUARTERS_LOADED_MS: Final = 700 * DAY_MS
_RULE_FIELDS: Final = field_names(MarketRegistered)


async def load_state(readers: Readers, shard: int, now_ms: int) -> tuple[MarketState, TailPosition]:
    """Return the state and where the event log goes on; the empty state of a shard without a position.

    A reader that is behind only makes the log's tail longer. Raises what asyncpg raises.
    """
    async with (
        readers.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        state = MarketState()
        row = await connection.fetchrow(
            "SELECT last_seq, last_hash, next_offset FROM positions WHERE shard = $1",
            shard,
            timeout=_QUERY_DEADLINE_S,
        )
        if row is None:
            return state, TailPosition(0, EMPTY_CHAIN_HASH, 0)
        state.seq = row["last_seq"]
        await _load_rules(connection, state)
        await _load_books(connection, state)
        for view in state.views.values():
            await _load_trades(connection, view, now_ms)
        return state, TailPosition(row["last_seq"], bytes(row["last_hash"]), row["next_offset"])


async def _load_rules(connection: "Connection", state: MarketState) -> None:
    for row in await connection.fetch(
        "SELECT asset_id, code, decimals FROM assets ORDER BY asset_id", timeout=_QUERY_DEADLINE_S
    ):
        state.add_asset(Asset(row["asset_id"], row["code"], row["decimals"]))
    columns = ", ".join(_RULE_FIELDS)
    for row in await connection.fetch(
        f"SELECT {columns}, mode FROM markets ORDER BY market_id", timeout=_QUERY_DEADLINE_S
    ):
        rules = MarketRegistered(*(row[name] for name in _RULE_FIELDS))
        state.add_market(rules, row["mode"])


async def _load_books(connection: "Connection", state: MarketState) -> None:
    """An order that is still open rests on the book with all that was not executed."""
    rows = await connection.fetch(
        "SELECT market_id, side, price_ticks, sum(quantity_lots - executed_lots) AS resting_lots "
        f"FROM orders WHERE status IN ({NEW}, {PARTIALLY_FILLED}) GROUP BY market_id, side, price_ticks",
        timeout=_QUERY_DEADLINE_S,
    )
    for row in rows:
        book = state.views[row["market_id"]].book
        book.change(row["side"], row["price_ticks"], int(row["resting_lots"]))
    for view in state.views.values():
        view.book.take_changes()


async def _load_trades(connection: "Connection", view: MarketView, now_ms: int) -> None:
    market_id = view.market.market_id
    trades = await read_newest_trades(connection, market_id, RING_SIZE_MAX, _QUERY_DEADLINE_S)
    if not trades:
        return
    view.trades.load(trades)
    joined = aggregate(trades)
    # The first one may have begun before the trades that were read.
    view.aggregates.load(joined if trades[0].id == 1 else joined[1:])
    view.candles.first_trade_ms = await connection.fetchval(
        "SELECT time_ms FROM trades WHERE market_id = $1 ORDER BY trade_id LIMIT 1",
        market_id,
        timeout=_QUERY_DEADLINE_S,
    )
    candles = view.candles
    for series, kept_ms in (
        (candles.seconds, _SECONDS_LOADED_MS),
        (candles.minutes, _MINUTES_LOADED_MS),
        (candles.quarters, _QUARTERS_LOADED_MS),
        (candles.hours, now_ms),
        (candles.days, now_ms),
    ):
        await _load_series(connection, market_id, series, max(0, now_ms - kept_ms))
    for window in view.windows.values():
        window.load(now_ms)


async def _load_series(connection: "Connection", market_id: int, series: Series, from_ms: int) -> None:
    from_ms -= from_ms % series.step_ms
    rows = await read_candles(connection, market_id, series.step_ms, from_ms, None, _QUERY_DEADLINE_S)
    series.load(rows, rows[0].open_ms if len(rows) == CANDLES_MAX else from_ms)
