"""Start-up: the state as PostgreSQL has it, all of it read in one snapshot at positions.last_seq.

Read: rules, the levels of open orders, and of each market the newest trades and candles, as many as memory
holds: as much after years as after a month. From `positions.next_offset` on the event log goes on with it.
"""

from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.contracts.codec import EMPTY_CHAIN_HASH, field_names
from exchange.contracts.codes import BUY, NEW, PARTIALLY_FILLED
from exchange.contracts.events import MarketRegistered
from exchange.contracts.filter_events import FilterChanged
from exchange.log.event_tail import TailPosition
from exchange.process.readers import Readers
from exchange.trading.candles import Series
from exchange.trading.filters import FILTER_COLUMNS
from exchange.trading.market import Asset
from exchange.trading.trades import RING_SIZE_MAX, aggregate
from services.market_data.markets.candle_rows import check_folded, read_newest
from services.market_data.markets.history import read_newest_trades
from services.market_data.markets.state import MarketState, MarketView

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

__all__ = ["load_state"]

# Nobody waits for a start but the load balancer, and pages of a cold database come slowly.
_QUERY_DEADLINE_S: Final = 30.0
_RULE_FIELDS: Final = field_names(MarketRegistered)


async def load_state(readers: Readers, shard: int, now_ms: int) -> tuple[MarketState, TailPosition]:
    """Return the state and where the event log goes on; the empty state of a shard without a position.

    A reader that is behind only makes the log's tail longer. Raises CandlesBehindError, and what asyncpg
    raises.
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
        await check_folded(connection, _QUERY_DEADLINE_S)
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
    for row in await connection.fetch(f"SELECT {FILTER_COLUMNS} FROM filters", timeout=_QUERY_DEADLINE_S):
        state.change_filter(FilterChanged(*row))


async def _load_books(connection: "Connection", state: MarketState) -> None:
    """An order that is still open rests on the book with all that is open, or with what is shown of it.

    The worst prices come first: each level is then put behind those that are there.
    """
    rows = await connection.fetch(
        "SELECT market_id, side, price_ticks, "
        "sum(coalesce(displayed_lots, quantity_lots - executed_lots - prevented_lots)) AS resting_lots "
        f"FROM orders WHERE status IN ({NEW}, {PARTIALLY_FILLED}) GROUP BY market_id, side, price_ticks "
        f"ORDER BY CASE side WHEN {BUY} THEN price_ticks ELSE -price_ticks END",
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
    # The ids of before there were any go on behind the last trade (migration 0015).
    view.next_aggregate_id = (trades[-1].aggregate_id or trades[-1].id) + 1
    # The first one may have begun before the trades that were read.
    view.aggregates.load(joined if trades[0].id == 1 else joined[1:])
    view.candles.first_trade_ms = await connection.fetchval(
        "SELECT time_ms FROM trades WHERE market_id = $1 ORDER BY trade_id LIMIT 1",
        market_id,
        timeout=_QUERY_DEADLINE_S,
    )
    candles = view.candles
    for series in (candles.seconds, candles.minutes, candles.quarters, candles.hours, candles.days):
        await _load_series(connection, market_id, series)
    for window in view.windows.values():
        window.load(now_ms)


async def _load_series(connection: "Connection", market_id: int, series: Series) -> None:
    rows = await read_newest(connection, market_id, series.step_ms, series.rows_max, _QUERY_DEADLINE_S)
    series.load(rows, rows[0].open_ms if len(rows) == series.rows_max else 0)
