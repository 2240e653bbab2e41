"""Candles in the ledger's transaction: the trades that it writes, folded into the rows of their candles.

What it adds to a transaction grows with the candles that its trades touch, not with the trades. The
compare-and-set on `candle_folds` makes each trade count once; a market whose older trades are not folded yet
is left to `candle_backfill`, which goes in the order of the trades.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.contracts.codes import BUY, SELL
from exchange.trading.candles import Candle, fold
from exchange.trading.trades import Trade
from services.projections.ledger.batch import TradeRow

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["fold_trades", "put_candles", "watch_markets"]

_WATCH: Final = """
INSERT INTO candle_folds (market_id, last_trade_id)
SELECT market_id, 0 FROM unnest($1::int[]) AS m(market_id) ON CONFLICT DO NOTHING
"""
# A locked row is being moved by the backfill: nobody waits for it here, it will come to these trades.
_CLAIM: Final = """
WITH due AS (
    SELECT f.market_id, c.last_id
    FROM candle_folds AS f
    JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS c(market_id, first_id, last_id)
        ON f.market_id = c.market_id AND f.last_trade_id = c.first_id - 1
    FOR UPDATE OF f SKIP LOCKED
)
UPDATE candle_folds AS f SET last_trade_id = due.last_id
FROM due WHERE f.market_id = due.market_id RETURNING f.market_id
"""
# Trades come in order, so whatever is there already came before.
_PUT: Final = """
INSERT INTO candles AS c (market_id, step_ms, open_ms, open_ticks, high_ticks, low_ticks, close_ticks,
    quantity_lots, quote_atoms, taker_lots, taker_quote_atoms, first_id, last_id)
SELECT * FROM unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[], $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], $12::bigint[], $13::bigint[])
ON CONFLICT (market_id, step_ms, open_ms) DO UPDATE SET
    high_ticks = GREATEST(c.high_ticks, excluded.high_ticks),
    low_ticks = LEAST(c.low_ticks, excluded.low_ticks),
    close_ticks = excluded.close_ticks,
    quantity_lots = c.quantity_lots + excluded.quantity_lots,
    quote_atoms = c.quote_atoms + excluded.quote_atoms,
    taker_lots = c.taker_lots + excluded.taker_lots,
    taker_quote_atoms = c.taker_quote_atoms + excluded.taker_quote_atoms,
    last_id = excluded.last_id
"""
_FIELDS: Final = (
    "open_ms", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "quantity_lots", "quote_atoms",
    "taker_lots", "taker_quote_atoms", "first_id", "last_id",
)  # fmt: skip


async def watch_markets(connection: "AnyConnection", market_ids: Sequence[int]) -> None:
    """Say of markets that none of their trades are folded yet, unless something is said of them already."""
    await connection.execute(_WATCH, market_ids)


async def fold_trades(connection: "AnyConnection", trades: Sequence[TradeRow]) -> None:
    """Fold the trades of a transaction, in its order; those of a market that is behind are left out."""
    if not trades:
        return
    # Stable: the trades of each market stay in their order.
    by_market = {
        market_id: list(rows) for market_id, rows in groupby(sorted(trades, key=itemgetter(0)), itemgetter(0))
    }
    claimed = await connection.fetch(
        _CLAIM,
        list(by_market),
        [rows[0][1] for rows in by_market.values()],
        [rows[-1][1] for rows in by_market.values()],
    )
    markets = {row["market_id"] for row in claimed}
    await put_candles(
        connection,
        {market_id: map(_trade, rows) for market_id, rows in by_market.items() if market_id in markets},
    )


async def put_candles(connection: "AnyConnection", trades: Mapping[int, Iterable[Trade]]) -> None:
    """Add trades, by market, to the candles that they belong to. Who calls has moved `candle_folds` on."""
    rows: list[tuple[int, int, Candle]] = [
        (market_id, step_ms, candle)
        for market_id, of_market in trades.items()
        for step_ms, candles in fold(of_market).items()
        for candle in candles
    ]
    if rows:
        await connection.execute(
            _PUT,
            [market_id for market_id, _, _ in rows],
            [step_ms for _, step_ms, _ in rows],
            *([getattr(candle, name) for _, _, candle in rows] for name in _FIELDS),
        )


def _trade(row: TradeRow) -> Trade:
    _, trade_id, time_ms, _, taker_side, price_ticks, quantity_lots, _, quote_atoms, *sides = row
    taker_order_id = sides[0] if taker_side == BUY else sides[3]
    return Trade(
        trade_id, time_ms, price_ticks, quantity_lots, quote_atoms, taker_side == SELL, taker_order_id
    )
