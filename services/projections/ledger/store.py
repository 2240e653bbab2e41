"""The SQL of the ledger: read the position, write one batch in one transaction (design decision 8)."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import asyncpg

from exchange.contracts.codec import EMPTY_CHAIN_HASH, EVENTS
from exchange.contracts.codes import FILLED, PARTIALLY_FILLED
from exchange.contracts.events import MarketRegistered
from exchange.log.event_tail import TailPosition
from exchange.process.connections import acquire
from exchange.process.crash_points import crash_point
from services.projections.ledger.batch import LedgerBatch, OrderChange
from services.projections.ledger.candle_backfill import Unfolded, fold_step, unfolded
from services.projections.ledger.candles import fold_trades, watch_markets
from services.projections.ledger.entries import MarketAssets

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


def _columns(names: str) -> tuple[str, ...]:
    return tuple(names.split())


ENTRY_COLUMNS: Final = _columns(
    "entry_id seq time_ms user_id asset_id bucket amount_atoms kind reference"  # as EntryRow
)
TRADE_COLUMNS: Final = _columns(
    "market_id trade_id time_ms seq taker_side price_ticks quantity_lots base_atoms quote_atoms "
    "buyer_order_id buyer_user_id buyer_fee_atoms seller_order_id seller_user_id seller_fee_atoms"
)
ORDER_COLUMNS: Final = _columns(
    "order_id user_id market_id client_order_id side order_type time_in_force price_ticks quantity_lots "
    "quote_quantity_atoms stp_mode executed_lots executed_quote_atoms held_atoms status close_reason "
    "created_ms updated_ms working_ms counter_order_id"
)
DEPOSIT_COLUMNS: Final = _columns("deposit_id user_id asset_id amount_atoms time_ms")
WITHDRAWAL_COLUMNS: Final = _columns(
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
_CHANGE_ORDERS: Final = f"""
UPDATE orders AS o SET
    executed_lots = o.executed_lots + c.executed_lots,
    executed_quote_atoms = o.executed_quote_atoms + c.executed_quote_atoms,
    held_atoms = o.held_atoms + c.held_atoms,
    status = CASE
        WHEN c.close_status > 0 THEN c.close_status
        WHEN o.executed_lots + c.executed_lots = o.quantity_lots THEN {FILLED}
        ELSE {PARTIALLY_FILLED}
    END,
    close_reason = c.close_reason,
    counter_order_id = c.counter_order_id,
    updated_ms = c.time_ms
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::smallint[],
            $7::bigint[], $8::bigint[])
    AS c(order_id, executed_lots, executed_quote_atoms, held_atoms, close_status, close_reason,
         counter_order_id, time_ms)
WHERE o.order_id = c.order_id
"""
_CHANGE_WITHDRAWALS: Final = """
UPDATE withdrawals AS w SET status = c.status
FROM unnest($1::bigint[], $2::text[]) AS c(withdrawal_id, status)
WHERE w.withdrawal_id = c.withdrawal_id AND w.status = 'RESERVED'
"""


_LEVELS_OF_OPEN_ORDERS: Final = """
SELECT market_id, side, price_ticks, sum(quantity_lots - executed_lots)::bigint AS lots
FROM orders WHERE status IN (1, 2) GROUP BY market_id, side, price_ticks
"""


class LedgerError(Exception):
    """The events and the tables contradict each other: stop, do not guess."""


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
                levels = await connection.fetch(_LEVELS_OF_OPEN_ORDERS)
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
        await _copy(connection, "ledger_entries", ENTRY_COLUMNS, batch.entries)
        await _write_balances(connection, batch)
        await _write_orders(connection, batch)
        await _copy(connection, "trades", TRADE_COLUMNS, batch.trades)
        await fold_trades(connection, batch.trades)
        await _copy(connection, "deposits", DEPOSIT_COLUMNS, batch.deposits)
        await _write_withdrawals(connection, batch)
        crash_point("ledger.before-commit")


async def _copy(
    connection: "AnyConnection", table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=columns)


async def _write_registrations(connection: "AnyConnection", batch: LedgerBatch) -> None:
    """Assets, markets and modes: rare, so one statement each."""
    for asset in batch.assets:
        await connection.execute(
            "INSERT INTO assets (asset_id, code, decimals) VALUES ($1, $2, $3)",
            asset.asset_id,
            _text(asset.code),
            asset.decimals,
        )
    names = ", ".join(MARKET_FIELDS)
    places = ", ".join(f"${number}" for number in range(1, len(MARKET_FIELDS) + 2))
    for market in batch.new_markets:
        values = [getattr(market, name) for name in MARKET_FIELDS]
        values[MARKET_FIELDS.index("symbol")] = _text(market.symbol)
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
        _expect(changed, 1, "a market that changed its mode")


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


async def _write_orders(connection: "AnyConnection", batch: LedgerBatch) -> None:
    new = [row for row in map(_order_row, batch.orders.values()) if row is not None]
    await _copy(connection, "orders", ORDER_COLUMNS, new)
    older = [(order_id, order) for order_id, order in batch.orders.items() if order.accepted is None]
    if older:
        changed = await connection.execute(
            _CHANGE_ORDERS,
            [order_id for order_id, _ in older],
            [order.executed_lots for _, order in older],
            [order.executed_quote_atoms for _, order in older],
            [order.held_atoms for _, order in older],
            [order.close_status for _, order in older],
            [order.close_reason for _, order in older],
            [order.counter_order_id for _, order in older],
            [order.time_ms for _, order in older],
        )
        _expect(changed, len(older), "orders that changed")


def _order_row(order: OrderChange) -> tuple[Any, ...] | None:
    event = order.accepted
    if event is None:
        return None
    return (
        event.order_id,
        event.user_id,
        event.market_id,
        _text(event.client_order_id),
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_ticks,
        event.quantity_lots,
        event.quote_quantity_atoms,
        event.stp_mode,
        order.executed_lots,
        order.executed_quote_atoms,
        order.held_atoms,
        order.status(event.quantity_lots),
        order.close_reason,
        order.created_ms,
        order.time_ms,
        order.created_ms,
        order.counter_order_id,
    )


async def _write_withdrawals(connection: "AnyConnection", batch: LedgerBatch) -> None:
    rows = [(*row[:4], _text(row[4]), *row[5:]) for row in batch.new_withdrawal_rows()]
    await _copy(connection, "withdrawals", WITHDRAWAL_COLUMNS, rows)
    older = {key: state for key, state in batch.withdrawal_states.items() if key not in batch.new_withdrawals}
    if older:
        changed = await connection.execute(_CHANGE_WITHDRAWALS, list(older), list(older.values()))
        _expect(changed, len(older), "withdrawals that ended")


def _text(value: str) -> str:
    # PostgreSQL has no NUL in text, and a trader's text must not stop the ledger.
    return value.replace("\x00", "\ufffd")


def _expect(status: str, count: int, what: str) -> None:
    if status.rpartition(" ")[2] != str(count):
        raise LedgerError(f"{what}: {count} on the log, {status} in the tables")
