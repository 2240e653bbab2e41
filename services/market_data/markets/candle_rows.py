"""Candles as the ledger projection has stored them (services/migrations/0007_candles.sql)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import asyncpg

from exchange.trading.candles import Candle, steps_of
from exchange.trading.intervals import Interval

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

__all__ = ["CandlesBehindError", "check_folded", "read_buckets", "read_close_before", "read_newest"]

_BEHIND: Final = """
SELECT m.symbol, coalesce(f.last_trade_id, 0) AS folded_id, newest.trade_id AS newest_id
FROM markets AS m LEFT JOIN candle_folds AS f USING (market_id)
CROSS JOIN LATERAL (
    SELECT trade_id FROM trades AS t WHERE t.market_id = m.market_id ORDER BY trade_id DESC LIMIT 1
) AS newest
WHERE newest.trade_id > coalesce(f.last_trade_id, 0) ORDER BY m.market_id
"""
# Sums are numeric; as text they come twice as fast.
_SUMS: Final = ("quantity_lots", "quote_atoms", "taker_lots", "taker_quote_atoms")
_NEWEST: Final = f"""
SELECT open_ms, open_ticks, high_ticks, low_ticks, close_ticks, first_id, last_id,
    {", ".join(f"{name}::text" for name in _SUMS)}
FROM candles WHERE market_id = $1 AND step_ms = $2 ORDER BY open_ms DESC LIMIT $3
"""
_CLOSE_BEFORE: Final = """
SELECT close_ticks FROM candles WHERE market_id = $1 AND step_ms = $2 AND open_ms < $3
ORDER BY open_ms DESC LIMIT 1
"""
# Ids ascend with time: the lowest one has the first price, the highest the last.
_JOINED: Final = f"""
SELECT place, (min(ARRAY[first_id, open_ticks]))[2] AS open_ticks, max(high_ticks) AS high_ticks,
    min(low_ticks) AS low_ticks, (max(ARRAY[last_id, close_ticks]))[2] AS close_ticks,
    min(first_id) AS first_id, max(last_id) AS last_id,
    {", ".join(f"sum({name})::text AS {name}" for name in _SUMS)}
FROM (%s) AS part GROUP BY place ORDER BY place
"""
# Rows of one step that lie wholly between two edges. `$2` has all edges, ascending.
_COARSEST: Final = """
SELECT width_bucket(c.open_ms, $2::bigint[]) AS place, c.* FROM candles AS c
WHERE c.market_id = $1 AND c.step_ms = {step_ms}
    AND c.open_ms >= ($2::bigint[])[1] AND c.open_ms < ($2::bigint[])[cardinality($2::bigint[])]
    AND width_bucket(c.open_ms, $2::bigint[]) = width_bucket(c.open_ms + {step_ms} - 1, $2::bigint[])
"""
# The same of a finer step, for those rows of the coarser one alone that an edge falls into: a look-up for
# each, which the limit keeps the planner from turning into a scan of the whole step.
_FINER: Final = """
SELECT width_bucket(c.open_ms, $2::bigint[]) AS place, c.*
FROM (
    SELECT DISTINCT edge_ms - edge_ms % {coarser_ms} AS from_ms
    FROM unnest($2::bigint[]) AS e(edge_ms) WHERE edge_ms % {coarser_ms} <> 0
) AS cut CROSS JOIN LATERAL (
    SELECT * FROM candles AS c WHERE c.market_id = $1 AND c.step_ms = {step_ms}
        AND c.open_ms >= cut.from_ms AND c.open_ms < cut.from_ms + {coarser_ms}
    ORDER BY c.open_ms LIMIT {count}
) AS c
WHERE c.open_ms >= ($2::bigint[])[1] AND c.open_ms < ($2::bigint[])[cardinality($2::bigint[])]
    AND width_bucket(c.open_ms, $2::bigint[]) = width_bucket(c.open_ms + {step_ms} - 1, $2::bigint[])
"""


class CandlesBehindError(Exception):
    """Trades of before there were candles are still being folded: what is stored is not all."""


async def check_folded(connection: "Connection", deadline_s: float) -> None:
    """Raises CandlesBehindError, which says how far each market is, unless all trades are in the candles."""
    behind = await connection.fetch(_BEHIND, timeout=deadline_s)
    if behind:
        where = ", ".join(
            f"{row['symbol']}: trade {row['folded_id']} of {row['newest_id']}" for row in behind
        )
        raise CandlesBehindError(f"older trades are being folded into candles ({where})")


async def read_newest(
    connection: "Connection", market_id: int, step_ms: int, limit: int, deadline_s: float
) -> list[Candle]:
    """The newest `limit` candles of a step, ascending."""
    rows = await connection.fetch(_NEWEST, market_id, step_ms, limit, timeout=deadline_s)
    return [_candle(row["open_ms"], row) for row in reversed(rows)]


async def read_close_before(
    connection: "Connection", market_id: int, step_ms: int, time_ms: int, deadline_s: float
) -> int | None:
    """Price in ticks of the last trade before `time_ms`, at which a candle of `step_ms` begins."""
    found: int | None = await connection.fetchval(
        _CLOSE_BEFORE, market_id, step_ms, time_ms, timeout=deadline_s
    )
    return found


async def read_buckets(
    connection: "Connection",
    market_id: int,
    interval: Interval,
    openings: Sequence[int],
    end_ms: int,
    deadline_s: float,
) -> list[Candle]:
    """One candle for each opening in whose bucket something was traded before `end_ms`, ascending.

    `openings` follow each other without gaps; `end_ms` is behind the last of them, at the beginning of one of
    the interval's base steps. The database reads at most ROWS_PER_BUCKET_MAX rows for each, and joins them.
    """
    steps_ms = steps_of(interval)
    parts = [_COARSEST.format(step_ms=steps_ms[0])]
    for coarser_ms, step_ms in pairwise(steps_ms):
        parts.append(_FINER.format(step_ms=step_ms, coarser_ms=coarser_ms, count=coarser_ms // step_ms))
    rows = await connection.fetch(
        _JOINED % " UNION ALL ".join(parts), market_id, [*openings, end_ms], timeout=deadline_s
    )
    return [_candle(openings[row["place"] - 1], row) for row in rows]


def _candle(open_ms: int, row: asyncpg.Record) -> Candle:
    candle = Candle(open_ms, row["open_ticks"])
    candle.high_ticks = row["high_ticks"]
    candle.low_ticks = row["low_ticks"]
    candle.close_ticks = row["close_ticks"]
    candle.first_id = row["first_id"]
    candle.last_id = row["last_id"]
    candle.quantity_lots = int(row["quantity_lots"])
    candle.quote_atoms = int(row["quote_atoms"])
    candle.taker_lots = int(row["taker_lots"])
    candle.taker_quote_atoms = int(row["taker_quote_atoms"])
    return candle
