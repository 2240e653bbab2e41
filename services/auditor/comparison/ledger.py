"""PostgreSQL against the derived state, at the same seq.

One repeatable-read snapshot gives the ledger's position and all its rows. The auditor waits until that
position is not behind its own, moves to exactly that seq, and only then reads the rows.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from exchange.process.connections import acquire
from services.auditor.audit.state import AuditState, Breach
from services.auditor.follower import Follower, NotReachedError

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["LedgerComparison"]

WAIT_S: Final = 3.0
POLL_S: Final = 0.05
ROWS_PER_PAGE: Final = 2_000
BREACHES_MAX: Final = 20
# services/migrations/0001_ledger.sql: entry_id = seq * 100 + place; bucket 3 is the exchange's fees.
_ENTRIES_PER_SEQ: Final = 100

_POSITION: Final = "SELECT last_seq, last_hash FROM positions WHERE shard = $1"
_BALANCES: Final = "SELECT user_id, asset_id, available_atoms, held_atoms FROM balances"
_ORDERS: Final = """
SELECT order_id, user_id, market_id, side, price_ticks, quantity_lots,
       quantity_lots - executed_lots - prevented_lots AS open_lots, held_atoms
FROM orders WHERE status IN (1, 2)
"""
_WITHDRAWALS: Final = """
SELECT withdrawal_id, user_id, asset_id, amount_atoms FROM withdrawals WHERE status = 'RESERVED'
"""
_FEES: Final = """
SELECT asset_id, sum(amount_atoms)::bigint AS fees FROM ledger_entries
WHERE entry_id > $1 AND entry_id <= $2 AND bucket = 3 GROUP BY asset_id
"""
_MODES: Final = "SELECT market_id, mode FROM markets"


class LedgerComparison:
    """Compares balances, holds, open orders, pending withdrawals, modes, and fees since the last time."""

    store = "postgresql"

    def __init__(
        self, database: "asyncpg.Pool[asyncpg.Record]", shard: int, deadline_ms: int, follower: Follower
    ) -> None:
        self._database = database
        self._shard = shard
        self._deadline_ms = deadline_ms
        self._follower = follower
        self._found: list[Breach] = []
        # The fees of each asset as they stood at a seq at which the ledger was compared.
        self._fees_seq = -1
        self._fees: dict[int, int] = {}

    async def compare(self) -> Sequence[Breach]:
        """Wait for the ledger, move to its seq, compare.

        Raises NotReachedError, LogError, and what the database raises.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_S
        state = self._follower.state
        while True:
            async with (
                acquire(self._database, self._deadline_ms) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                position = await connection.fetchrow(_POSITION, self._shard)
                seq = position["last_seq"] if position is not None else 0
                if position is not None and seq >= state.seq:
                    breaches = await self._follower.advance_to(
                        seq, position["last_hash"], WAIT_S, "the ledger"
                    )
                    return breaches or await self._compare_rows(connection, state)
            if asyncio.get_running_loop().time() > deadline:
                raise NotReachedError(f"the ledger is at seq {seq}, the audit at {state.seq}")
            await asyncio.sleep(POLL_S)

    async def _compare_rows(self, connection: "Connection", state: AuditState) -> list[Breach]:
        self._found = []
        await self._compare_balances(connection, state)
        await self._compare_orders(connection, state)
        await self._compare_withdrawals(connection, state)
        await self._compare_modes(connection, state)
        await self._compare_fees(connection, state)
        return self._found[:BREACHES_MAX]

    def _differ(self, state: AuditState, what: str, stored: object, derived: object) -> None:
        if len(self._found) < BREACHES_MAX:
            detail = f"{what}: the ledger has {stored}, the events give {derived}"
            self._found.append(Breach(state.seq, "ledger", detail))

    async def _compare_balances(self, connection: "Connection", state: AuditState) -> None:
        missing = {key: b for key, b in state.balances.items() if b.available or b.held}
        async for row in _rows(connection, _BALANCES):
            key, stored = (row["user_id"], row["asset_id"]), (row["available_atoms"], row["held_atoms"])
            balance = state.balances.get(key)
            missing.pop(key, None)
            derived = (0, 0) if balance is None else (balance.available, balance.held)
            if stored != derived:
                self._differ(state, f"balance of user {key[0]} in asset {key[1]}", stored, derived)
        for key, balance in missing.items():
            derived = (balance.available, balance.held)
            self._differ(state, f"balance of user {key[0]} in asset {key[1]}", None, derived)

    async def _compare_orders(self, connection: "Connection", state: AuditState) -> None:
        missing = dict.fromkeys(state.orders)
        async for row in _rows(connection, _ORDERS):
            stored = tuple(row)
            order = state.orders.get(row["order_id"])
            missing.pop(row["order_id"], None)
            derived = order and (
                order.order_id,
                order.user_id,
                order.market.market_id,
                order.side,
                order.price_ticks,
                order.quantity_lots,
                order.open_lots,
                order.hold_atoms,
            )
            if stored != derived:
                self._differ(state, f"open order {row['order_id']}", stored, derived)
        for order_id in missing:
            self._differ(state, f"open order {order_id}", None, "one")

    async def _compare_withdrawals(self, connection: "Connection", state: AuditState) -> None:
        missing = dict.fromkeys(state.withdrawals)
        async for row in _rows(connection, _WITHDRAWALS):
            stored, pending = tuple(row)[1:], state.withdrawals.get(row["withdrawal_id"])
            missing.pop(row["withdrawal_id"], None)
            derived = pending and (
                pending.balance.user_id,
                pending.balance.asset.asset_id,
                pending.amount_atoms,
            )
            if stored != derived:
                self._differ(state, f"pending withdrawal {row['withdrawal_id']}", stored, derived)
        for withdrawal_id in missing:
            self._differ(state, f"pending withdrawal {withdrawal_id}", None, "one")

    async def _compare_modes(self, connection: "Connection", state: AuditState) -> None:
        stored = {row["market_id"]: row["mode"] for row in await connection.fetch(_MODES)}
        derived = {market_id: market.mode for market_id, market in state.markets.items()}
        if stored != derived:
            self._differ(state, "modes of the markets", stored, derived)

    async def _compare_fees(self, connection: "Connection", state: AuditState) -> None:
        """What was entered since the last comparison: an old exchange has too many entries to add up."""
        derived = {asset_id: asset.fees for asset_id, asset in state.assets.items()}
        if self._fees_seq >= 0:
            first, last = ((seq + 1) * _ENTRIES_PER_SEQ - 1 for seq in (self._fees_seq, state.seq))
            entered = {row["asset_id"]: row["fees"] for row in await connection.fetch(_FEES, first, last)}
            for asset_id, fees in derived.items():
                earned = fees - self._fees.get(asset_id, 0)
                if entered.get(asset_id, 0) != earned:
                    what = f"fees of asset {asset_id} after seq {self._fees_seq}"
                    self._differ(state, what, entered.get(asset_id, 0), earned)
        self._fees_seq, self._fees = state.seq, derived


async def _rows(connection: "Connection", query: str) -> "AsyncIterator[asyncpg.Record]":
    """The rows of a query, a page at a time."""
    cursor = await connection.cursor(query)
    while page := await cursor.fetch(ROWS_PER_PAGE):
        for row in page:
            yield row
