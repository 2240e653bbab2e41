"""The SQL of the ledger: read the position, write one batch in one transaction (design decision 8)."""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import asyncpg

from exchange.contracts.codec import EMPTY_CHAIN_HASH, field_names
from exchange.contracts.events import MarketRegistered
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.tables import EVENTS
from exchange.log.event_tail import TailPosition
from exchange.process.connections import acquire
from exchange.process.crash_points import crash_point
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.candle_backfill import Unfolded, fold_step, unfolded
from services.projections.ledger.candles import fold_trades, watch_markets
from services.projections.ledger.entries import MarketAssets
from services.projections.ledger.fee_rows import write_fees
from services.projections.ledger.order_rows import LEVELS_OF_OPEN_ORDERS, write_orders
from services.projections.ledger.statements import LedgerError, columns, copy, expect, text

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = [
    "FencedError",
    "LedgerError",
    "LedgerStore",
    "OpenBooks",
    "PostgresLedger",
    "read_markets",
    "read_position",
    "write_batch",
]


ENTRY_COLUMNS: Final = columns(
    "entry_id seq time_ms user_id asset_id bucket amount_atoms kind reference"  # as EntryRow
)
TRADE_COLUMNS: Final = columns(
    "market_id trade_id time_ms seq taker_side price_ticks quantity_lots base_atoms quote_atoms "
    "buyer_order_id buyer_user_id buyer_fee_atoms seller_order_id seller_user_id seller_fee_atoms "
    "buyer_fee_asset_id seller_fee_asset_id"
)
DEPOSIT_COLUMNS: Final = columns("deposit_id user_id asset_id amount_atoms time_ms")
WITHDRAWAL_COLUMNS: Final = columns(
    "withdrawal_id user_id asset_id amount_atoms address status time_ms reserved_seq"
)
MARKET_FIELDS: Final = next(names for cls, names in EVENTS.values() if cls is MarketRegistered)

_ADVANCE: Final = """
UPDATE positions SET last_seq = $3, last_hash = $4, next_offset = $5, updated_ms = $6
WHERE shard = $1 AND last_seq = $2
"""
# Not INSERT ... ON CONFLICT: that checks the CHECK constraints on the difference itself.
_CHANGE_BALANCES: Final = """
MERGE INTO balances AS b
USING unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS c(user_id, asset_id, available_atoms, held_atoms, time_ms)
ON b.user_id = c.user_id AND b.asset_id = c.asset_id
WHEN MATCHED THEN UPDATE SET
    available_atoms = b.available_atoms + c.available_atoms,
    held_atoms = b.held_atoms + c.held_atoms,
    updated_ms = c.time_ms
WHEN NOT MATCHED THEN INSERT (user_id, asset_id, available_atoms, held_atoms, updated_ms)
    VALUES (c.user_id, c.asset_id, c.available_atoms, c.held_atoms, c.time_ms)
"""
_CHANGE_WITHDRAWALS: Final = """
UPDATE withdrawals AS w SET status = c.status
FROM unnest($1::bigint[], $2::text[]) AS c(withdrawal_id, status)
WHERE w.withdrawal_id = c.withdrawal_id AND w.status = 'RESERVED'
"""


# As FilterChanged.
FILTER_FIELDS: Final = field_names(FilterChanged)
_SET_FILTER: Final = f"""
INSERT INTO filters ({", ".join(FILTER_FIELDS)}) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (filter_type, market_id, asset_id) DO UPDATE SET
    first = excluded.first, second = excluded.second, third = excluded.third, fourth = excluded.fourth
"""
_LAST_AGGREGATES: Final = """
SELECT m.market_id, coalesce((
    SELECT coalesce(t.aggregate_id, t.trade_id) FROM trades AS t WHERE t.market_id = m.market_id
    ORDER BY t.trade_id DESC LIMIT 1), 0) AS aggregate_id
FROM unnest($1::int[]) AS m(market_id)
"""


class FencedError(LedgerError):
    """The position is not where this process left it: somebody else writes the ledger."""


class OpenBooks(NamedTuple):
    """The ledger's open orders at its position: markets as (market_id, symbol), levels as
    (market_id, side, price_ticks, lots)."""

    position: TailPosition
    time_ms: int
    markets: list[tuple[int, str]]
    levels: list[tuple[int, int, int, int]]


class LedgerStore(Protocol):
    """What the projections need of the ledger. Every call raises process.connections.CONNECTION_ERRORS,
    after which a write may or may not have taken place.

    A port: the simulation (tests/simulation) puts tables of its own behind it, in memory.
    """

    async def resume(self, shard: int) -> tuple[TailPosition, dict[int, MarketAssets]]:
        """The shard's position, and each market's assets by market_id."""
        ...

    async def write(
        self, shard: int, expected_seq: int, position: TailPosition, time_ms: int, batch: LedgerBatch
    ) -> None:
        """Write the batch and move the position from `expected_seq` to `position`, all or nothing.

        Raises FencedError when the position was elsewhere, LedgerError when a change finds no row.
        """
        ...

    async def fold_older(self) -> list[Unfolded]:
        """Fold a bounded number of those trades that are in no candle yet; the markets that had some."""
        ...

    async def open_books(self, shard: int) -> OpenBooks:
        """The levels of all open orders, as they stood together at one position."""
        ...


class PostgresLedger:
    """The ledger in PostgreSQL. `deadline_ms` bounds getting a connection, and a third of a write."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", deadline_ms: int) -> None:
        self._database = database
        self._deadline_ms = deadline_ms

    async def resume(self, shard: int) -> tuple[TailPosition, dict[int, MarketAssets]]:
        """Take the database's word for where the projection stands."""
        async with acquire(self._database, self._deadline_ms) as connection:
            return await read_position(connection, shard), await read_markets(connection)

    async def write(
        self, shard: int, expected_seq: int, position: TailPosition, time_ms: int, batch: LedgerBatch
    ) -> None:
        """One transaction; see `write_batch`."""
        async with (
            asyncio.timeout(3 * self._deadline_ms / 1000),
            acquire(self._database, self._deadline_ms) as connection,
        ):
            await write_batch(connection, shard, expected_seq, position, time_ms, batch)

    async def fold_older(self) -> list[Unfolded]:
        """One step of the first market that is behind."""
        async with (
            asyncio.timeout(3 * self._deadline_ms / 1000),
            acquire(self._database, self._deadline_ms) as connection,
        ):
            behind = await unfolded(connection)
            if behind:
                await fold_step(connection, behind[0])
            return behind

    async def open_books(self, shard: int) -> OpenBooks:
        """One snapshot of the tables."""
        async with acquire(self._database, self._deadline_ms) as connection:
            # Makes the row on a fresh database, which the read-only transaction below could not.
            await read_position(connection, shard)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                position = await connection.fetchrow(
                    "SELECT last_seq, last_hash, next_offset, updated_ms FROM positions WHERE shard = $1",
                    shard,
                )
                markets = await connection.fetch("SELECT market_id, symbol FROM markets ORDER BY market_id")
                levels = await connection.fetch(LEVELS_OF_OPEN_ORDERS)
        assert position is not None
        return OpenBooks(
            TailPosition(position["last_seq"], position["last_hash"], position["next_offset"]),
            position["updated_ms"],
            [(row["market_id"], row["symbol"]) for row in markets],
            [(row["market_id"], row["side"], row["price_ticks"], row["lots"]) for row in levels],
        )


async def read_position(connection: "AnyConnection", shard: int) -> TailPosition:
    """The shard's position, created at the beginning of the log when there is none."""
    await connection.execute(
        "INSERT INTO positions (shard, last_seq, last_hash, next_offset, updated_ms) "
        "VALUES ($1, 0, $2, 0, 0) ON CONFLICT DO NOTHING",
        shard,
        EMPTY_CHAIN_HASH,
    )
    row = await connection.fetchrow(
        "SELECT last_seq, last_hash, next_offset FROM positions WHERE shard = $1", shard
    )
    assert row is not None
    return TailPosition(row["last_seq"], row["last_hash"], row["next_offset"])


async def read_markets(connection: "AnyConnection") -> dict[int, MarketAssets]:
    """Each market's assets, by market_id."""
    rows = await connection.fetch("SELECT market_id, base_asset_id, quote_asset_id FROM markets")
    return {row["market_id"]: MarketAssets(row["base_asset_id"], row["quote_asset_id"]) for row in rows}


async def write_batch(
    connection: "AnyConnection",
    shard: int,
    expected_seq: int,
    position: TailPosition,
    time_ms: int,
    batch: LedgerBatch,
) -> None:
    """Write the batch and move the position from `expected_seq` to `position`, all or nothing.

    Raises FencedError when the position was elsewhere, LedgerError when a change finds no row,
    asyncpg.CheckViolationError when a balance or a hold would become negative.
    """
    async with connection.transaction():
        # First, because it locks the row: another projector waits here, then finds itself fenced.
        moved = await connection.execute(
            _ADVANCE, shard, expected_seq, position.seq, position.hash, position.next_offset, time_ms
        )
        if moved != "UPDATE 1":
            raise FencedError(f"shard {shard} is no longer at seq {expected_seq}: somebody else writes")
        await _write_registrations(connection, batch)
        await _write_filters(connection, batch)
        await copy(connection, "ledger_entries", ENTRY_COLUMNS, batch.entries)
        await _write_balances(connection, batch)
        await write_orders(connection, batch)
        await copy(
            connection, "trades", (*TRADE_COLUMNS, "aggregate_id"), await _numbered_trades(connection, batch)
        )
        await fold_trades(connection, batch.trades)
        await copy(connection, "deposits", DEPOSIT_COLUMNS, batch.deposits)
        await _write_withdrawals(connection, batch)
        crash_point("ledger.before-commit")


async def _numbered_trades(connection: "AnyConnection", batch: LedgerBatch) -> list[tuple[int, ...]]:
    """The batch's trades, each with the id of its aggregate trade, which go on from the market's last."""
    if not batch.trades:
        return []
    rows = await connection.fetch(_LAST_AGGREGATES, sorted({row[0] for row in batch.trades}))
    last_ids: dict[int, int] = {row["market_id"]: row["aggregate_id"] for row in rows}
    numbered: list[tuple[int, ...]] = []
    for row, starts in zip(batch.trades, batch.aggregate_starts, strict=True):
        last_ids[row[0]] += starts
        numbered.append((*row, last_ids[row[0]]))
    return numbered


async def _write_registrations(connection: "AnyConnection", batch: LedgerBatch) -> None:
    """Assets, markets, modes and fees: rare, so one statement each."""
    for asset in batch.assets:
        await connection.execute(
            "INSERT INTO assets (asset_id, code, decimals) VALUES ($1, $2, $3)",
            asset.asset_id,
            text(asset.code),
            asset.decimals,
        )
    names = ", ".join(MARKET_FIELDS)
    places = ", ".join(f"${number}" for number in range(1, len(MARKET_FIELDS) + 2))
    for market in batch.new_markets:
        values = [getattr(market, name) for name in MARKET_FIELDS]
        values[MARKET_FIELDS.index("symbol")] = text(market.symbol)
        await connection.execute(
            f"INSERT INTO markets ({names}, mode) VALUES ({places})",
            *values,
            batch.mode_of(market.market_id),
        )
    if batch.new_markets:
        await watch_markets(connection, [market.market_id for market in batch.new_markets])
    for market_id, mode in batch.modes.items():
        changed = await connection.execute(
            "UPDATE markets SET mode = $2 WHERE market_id = $1", market_id, mode
        )
        expect(changed, 1, "a market that changed its mode")
    await write_fees(connection, batch.fees)


async def _write_filters(connection: "AnyConnection", batch: LedgerBatch) -> None:
    for event in batch.filters.values():
        await connection.execute(_SET_FILTER, *(getattr(event, name) for name in FILTER_FIELDS))


async def _write_balances(connection: "AnyConnection", batch: LedgerBatch) -> None:
    if not batch.balances:
        return
    keys = sorted(batch.balances)
    changes = [batch.balances[key] for key in keys]
    await connection.execute(
        _CHANGE_BALANCES,
        [user_id for user_id, _ in keys],
        [asset_id for _, asset_id in keys],
        [change.available_atoms for change in changes],
        [change.held_atoms for change in changes],
        [change.time_ms for change in changes],
    )


async def _write_withdrawals(connection: "AnyConnection", batch: LedgerBatch) -> None:
    rows = [(*row[:4], text(row[4]), *row[5:]) for row in batch.new_withdrawal_rows()]
    await copy(connection, "withdrawals", WITHDRAWAL_COLUMNS, rows)
    older = {key: state for key, state in batch.withdrawal_states.items() if key not in batch.new_withdrawals}
    if older:
        changed = await connection.execute(_CHANGE_WITHDRAWALS, list(older), list(older.values()))
        expect(changed, len(older), "withdrawals that ended")
