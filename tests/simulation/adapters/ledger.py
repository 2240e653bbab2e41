"""The ledger's tables in memory, with the same compare-and-set and the same constraints."""

from collections.abc import Callable

from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.codes import FILLED, NEW, PARTIALLY_FILLED
from exchange.contracts.events import MarketRegistered, OrderAccepted
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.log.event_tail import TailPosition
from services.projections.ledger.batch import RESERVED, LedgerBatch, OrderChange
from services.projections.ledger.candle_backfill import Unfolded
from services.projections.ledger.entries import FEES, MarketAssets
from services.projections.ledger.store import FencedError, LedgerError, OpenBooks
from tests.simulation.adapters.calls import Wires, ask, reach
from tests.simulation.loop import Process

__all__ = ["LedgerPort", "OrderRow", "SimulatedLedger"]

_DEADLINE_S = 15.0


class OrderRow:
    """A row of `orders`, as far as balances and books depend on it."""

    def __init__(self, accepted: OrderAccepted | OrderWithTermsAccepted) -> None:
        self.accepted = accepted
        self.name = accepted.client_order_id
        self.price_ticks = accepted.price_ticks
        self.quantity_lots = accepted.quantity_lots
        self.executed_lots = 0
        self.prevented_lots = 0
        # NULL of a plain order: all that is open.
        self.displayed_lots: int | None = 0 if isinstance(accepted, OrderWithTermsAccepted) else None
        self.held_atoms = accepted.held_atoms
        self.status = NEW
        self.close_reason = 0

    def change(self, change: OrderChange) -> None:
        """As the UPDATE does it; a row that the batch created holds what the change says."""
        self.executed_lots += change.executed_lots
        self.prevented_lots += change.prevented_lots
        if change.price_ticks is not None:
            self.price_ticks = change.price_ticks
        if change.amended is not None:
            self.name = change.amended.client_order_id
        if change.new_lots is not None:
            self.quantity_lots = change.new_lots
        if self.displayed_lots is not None:
            self.displayed_lots += change.displayed_lots
        self.held_atoms += change.held_atoms if change.accepted is None else 0
        if change.accepted is not None:
            self.held_atoms = change.held_atoms
        if change.close_status:
            self.status, self.close_reason = change.close_status, change.close_reason
        elif self.executed_lots + self.prevented_lots == self.quantity_lots > 0:
            self.status = FILLED
        elif self.executed_lots:
            self.status = PARTIALLY_FILLED
        gone = self.executed_lots + self.prevented_lots
        if self.held_atoms < 0 or not 0 <= gone <= self.quantity_lots or (self.displayed_lots or 0) < 0:
            raise LedgerError(f"CHECK: order {self.accepted.order_id} cannot be so")

    def shown_lots(self) -> int:
        """What the book shows of it."""
        if self.displayed_lots is not None:
            return self.displayed_lots
        return self.quantity_lots - self.executed_lots - self.prevented_lots


class SimulatedLedger:
    """The tables. `on_write` hears of every transaction that took place."""

    def __init__(self, wires: Wires, on_write: Callable[["SimulatedLedger"], None]) -> None:
        self.seq = 0
        self.hash = EMPTY_CHAIN_HASH
        self.next_offset = 0
        self.time_ms = 0
        self.markets: dict[int, MarketRegistered] = {}
        self.balances: dict[tuple[int, int], tuple[int, int]] = {}
        self.fees: dict[int, int] = {}
        self.orders: dict[int, OrderRow] = {}
        self.keys: set[tuple[str, int, int]] = set()
        self.withdrawals: dict[int, str] = {}
        self._wires = wires
        self._on_write = on_write

    def of(self, process: Process) -> "LedgerPort":
        """The ledger as this process sees it."""
        return LedgerPort(self, self._wires, process)

    def resume(self) -> tuple[TailPosition, dict[int, MarketAssets]]:
        """Position and markets."""
        assets = {m: MarketAssets(row.base_asset_id, row.quote_asset_id) for m, row in self.markets.items()}
        return TailPosition(self.seq, self.hash, self.next_offset), assets

    def fence(self, expected_seq: int) -> None:
        """The WHERE of the position's UPDATE. Raises FencedError."""
        if self.seq != expected_seq:
            raise FencedError(f"the ledger is at seq {self.seq}, not at {expected_seq}")

    def write(self, expected_seq: int, position: TailPosition, time_ms: int, batch: LedgerBatch) -> None:
        """One transaction."""
        self.fence(expected_seq)
        self._wires.loop.note("world", f"the ledger goes from {expected_seq} to {position.seq}")
        self.seq, self.hash, self.next_offset = position.seq, position.hash, position.next_offset
        self.time_ms = time_ms
        for market in batch.new_markets:
            self._insert("market", market.market_id)
            self.markets[market.market_id] = market
        for key, change in batch.balances.items():
            available, held = self.balances.get(key, (0, 0))
            available, held = available + change.available_atoms, held + change.held_atoms
            if available < 0 or held < 0:
                raise LedgerError(f"CHECK: balance {key} would be {available}, {held}")
            self.balances[key] = (available, held)
        sums: dict[tuple[int, int], int] = {}
        for entry_id, seq, _, _, asset_id, bucket, amount, _, _ in batch.entries:
            self._insert("entry", entry_id)
            sums[seq, asset_id] = sums.get((seq, asset_id), 0) + amount
            if bucket == FEES:
                self.fees[asset_id] = self.fees.get(asset_id, 0) + amount
        if any(sums.values()):
            raise LedgerError("I4: the entries of an event do not sum to zero")
        self._write_orders(batch)
        for trade in batch.trades:
            self._insert("trade", trade[0], trade[1])
        for deposit in batch.deposits:
            self._insert("deposit", deposit[0])
        self._write_withdrawals(batch)
        self._on_write(self)

    def order(self, user_id: int, market_id: int, order_id: int | None, name: str | None) -> OrderRow | None:
        """A user's order by its id, or the newest of a name."""
        found = [
            row
            for row in self.orders.values()
            if (row.accepted.user_id, row.accepted.market_id) == (user_id, market_id)
            and (order_id is None or row.accepted.order_id == order_id)
            and (name is None or row.name == name)
        ]
        return max(found, key=lambda row: row.accepted.order_id, default=None)

    def open_books(self) -> OpenBooks:
        """The levels of all open orders."""
        lots: dict[tuple[int, int, int], int] = {}
        for row in self.orders.values():
            if row.status in (NEW, PARTIALLY_FILLED):
                key = (row.accepted.market_id, row.accepted.side, row.price_ticks)
                lots[key] = lots.get(key, 0) + row.shown_lots()
        return OpenBooks(
            TailPosition(self.seq, self.hash, self.next_offset),
            self.time_ms,
            [(market_id, row.symbol) for market_id, row in sorted(self.markets.items())],
            [(*key, count) for key, count in lots.items() if count],
        )

    def _write_orders(self, batch: LedgerBatch) -> None:
        for order_id, change in batch.orders.items():
            if change.accepted is not None:
                self._insert("order", order_id)
                self.orders[order_id] = OrderRow(change.accepted)
            if order_id not in self.orders:
                raise LedgerError(f"order {order_id} changed, but there is none")
            self.orders[order_id].change(change)

    def _write_withdrawals(self, batch: LedgerBatch) -> None:
        for row in batch.new_withdrawal_rows():
            self._insert("withdrawal", row[0])
            self.withdrawals[row[0]] = row[5]
        for withdrawal_id, state in batch.withdrawal_states.items():
            if withdrawal_id in batch.new_withdrawals:
                continue
            if self.withdrawals.get(withdrawal_id) != RESERVED:
                raise LedgerError(f"withdrawal {withdrawal_id} ended, but is not reserved")
            self.withdrawals[withdrawal_id] = state

    def _insert(self, table: str, key: int, second: int = 0) -> None:
        if (table, key, second) in self.keys:
            raise LedgerError(f"{table} {key} {second} is there already")
        self.keys.add((table, key, second))


class LedgerPort:
    """A `LedgerStore`."""

    def __init__(self, ledger: SimulatedLedger, wires: Wires, process: Process) -> None:
        self._ledger = ledger
        self._wires = wires
        self._process = process

    async def resume(self, shard: int) -> tuple[TailPosition, dict[int, MarketAssets]]:
        return await ask(self._wires, self._process, self._ledger.resume, error=ConnectionError)

    async def write(
        self, shard: int, expected_seq: int, position: TailPosition, time_ms: int, batch: LedgerBatch
    ) -> None:
        await reach(
            self._wires,
            self._process,
            lambda: self._ledger.write(expected_seq, position, time_ms, batch),
            error=ConnectionError,
            deadline_s=_DEADLINE_S,
        )

    async def fold_older(self) -> list[Unfolded]:
        """Candles are no part of the simulated tables."""
        return []

    async def open_books(self, shard: int) -> OpenBooks:
        return await ask(self._wires, self._process, self._ledger.open_books, error=ConnectionError)

    async def order(
        self, user_id: int, market_id: int, order_id: int | None, name: str | None
    ) -> OrderRow | None:
        """What the order service's history reads."""
        return await ask(
            self._wires,
            self._process,
            lambda: self._ledger.order(user_id, market_id, order_id, name),
            error=ConnectionError,
        )
