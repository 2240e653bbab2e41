"""Trades that were written before there were candles, folded in steps, oldest first, each step for good.

The ledger projection does it beside its work. For a large history it is done ahead of an upgrade, while the
version before still runs: `python -m services.migrations`, then
`python -m services.projections.ledger.candle_backfill`. It may be stopped and begun again at any time, and
run twice at once.
"""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from exchange.contracts.codes import BUY, SELL
from exchange.process.config import Settings, SettingsError
from exchange.trading.trades import Trade
from services.projections.ledger.candles import put_candles, watch_markets

if TYPE_CHECKING:
    from services.projections.ledger.candles import AnyConnection

__all__ = ["TRADES_PER_STEP_MAX", "Unfolded", "fold_step", "unfolded"]

# About 0.1 s of one connection; whoever waits for it waits no longer.
TRADES_PER_STEP_MAX: Final = 5_000
_DEADLINE_S: Final = 30.0
_PROGRESS_EVERY_S: Final = 5.0

_UNFOLDED: Final = """
SELECT m.market_id, coalesce(f.last_trade_id, 0) AS folded_id, newest.trade_id AS newest_id
FROM markets AS m LEFT JOIN candle_folds AS f USING (market_id)
CROSS JOIN LATERAL (
    SELECT trade_id FROM trades AS t WHERE t.market_id = m.market_id ORDER BY trade_id DESC LIMIT 1
) AS newest
WHERE newest.trade_id > coalesce(f.last_trade_id, 0) ORDER BY m.market_id
"""
_TRADES: Final = f"""
SELECT trade_id, time_ms, price_ticks, quantity_lots, quote_atoms, taker_side = {SELL} AS buyer_is_maker,
    CASE taker_side WHEN {BUY} THEN buyer_order_id ELSE seller_order_id END AS taker_order_id
FROM trades WHERE market_id = $1 AND trade_id > $2 ORDER BY trade_id LIMIT $3
"""
_ADVANCE: Final = "UPDATE candle_folds SET last_trade_id = $3 WHERE market_id = $1 AND last_trade_id = $2"


class Unfolded(NamedTuple):
    """A market whose trades from `folded_id` + 1 to `newest_id` are in no candle."""

    market_id: int
    folded_id: int
    newest_id: int


async def unfolded(connection: "AnyConnection") -> list[Unfolded]:
    """The markets that are behind. Looks at one trade a market."""
    return [Unfolded(*row) for row in await connection.fetch(_UNFOLDED)]


async def fold_step(connection: "AnyConnection", market: Unfolded) -> int:
    """Fold the next trades of a market, at most TRADES_PER_STEP_MAX, and return how many they were.

    0 when somebody else was there first.
    """
    await watch_markets(connection, [market.market_id])
    rows = await connection.fetch(_TRADES, market.market_id, market.folded_id, TRADES_PER_STEP_MAX)
    trades = [Trade(*row) for row in rows]
    if not trades:
        return 0
    async with connection.transaction():
        moved = await connection.execute(_ADVANCE, market.market_id, market.folded_id, trades[-1].id)
        if moved != "UPDATE 1":
            return 0
        await put_candles(connection, {market.market_id: trades})
    return len(trades)


async def _run(settings: Settings) -> None:
    # The projection imports this module for its steps alone: only the command chooses an adapter.
    from exchange.adapters.postgres.pool import open_connection

    connection = await open_connection(settings, statement_deadline_s=_DEADLINE_S, writes=True)
    try:
        due_s = 0.0
        while behind := await unfolded(connection):
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + _PROGRESS_EVERY_S
                for market in behind:
                    where = f"trade {market.folded_id} of {market.newest_id}"
                    print(f"market {market.market_id}: {where}", flush=True)
            await fold_step(connection, behind[0])
        print("all trades are in the candles")
    finally:
        await connection.close(timeout=settings.database_deadline_ms / 1000)


def main() -> int:
    """Fold until nothing is behind; 0 then, 1 with a reason when it cannot go on."""
    try:
        asyncio.run(_run(Settings.load()))
    except (SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"candle_backfill: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
