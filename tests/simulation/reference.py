"""What must be true, checked as soon as anything is written (invariants I1 to I12).

Every record of the command log goes through an engine with the plainest book; its events are what every
other copy of the exchange has to show: the event log, the ledger, the hot books, the answers to traders.
"""

from bisect import bisect_right
from typing import Any, NamedTuple

from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CommandOutcome,
    decode_commands,
    decode_events,
    outcomes_of,
)
from exchange.contracts.codes import BUY, SELL
from exchange.ports.world import LogRecord
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.naive_book import NaiveBook
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows
from matching_engine.snapshots import state_bytes
from services.projections.ledger.batch import RESERVED
from tests.simulation.adapters.hot_books import HotBook
from tests.simulation.adapters.ledger import SimulatedLedger
from tests.simulation.bounds import Bounds
from tests.simulation.model.auditor import Model
from tests.simulation.model.books import Levels
from tests.simulation.violations import require

__all__ = ["Reference"]


class _Moment(NamedTuple):
    """The exchange right after one outcome."""

    hash: bytes
    balances: dict[tuple[int, int], tuple[int, int]]
    fees: dict[int, int]
    books: dict[str, tuple[Levels, Levels]]


class Reference:
    """The truth, and how far each copy of it has come."""

    def __init__(self, limits: EngineLimits) -> None:
        self.limits = limits
        self.shard = Shard(Engine(NaiveBook, limits))
        self.model = Model()
        self.bounds = Bounds(self.model, limits)
        self.records: list[LogRecord] = []
        self.published_seq = 0
        self._time_ms = 0
        self.by_command: dict[int, list[CommandOutcome]] = {}
        self._hashes: list[bytes] = [EMPTY_CHAIN_HASH]
        self._seqs: list[int] = [0]
        self._moments: list[_Moment] = [_Moment(EMPTY_CHAIN_HASH, {}, {}, {})]

    @property
    def seq(self) -> int:
        """Of the newest event that follows from the command log."""
        return self.shard.engine.seq

    def command_record(self, record: LogRecord) -> list[CommandOutcome]:
        """The command log has grown. Returns what is decided by that."""
        self.records.append(record)
        outcomes = outcomes_of(self.shard.apply_record(record.offset, record.timestamp_ms, record.value))
        for outcome in outcomes:
            # What waited for a leader's clock is decided with a later record.
            of_record = decode_commands(self.records[outcome.command_offset].value)
            self.bounds.before(of_record[outcome.command_index], outcome)
            self.model.apply(outcome)
            self.bounds.after(outcome)
            require(outcome.time_ms >= self._time_ms, "the engine's clock goes back")
            self._time_ms = outcome.time_ms
            self.by_command.setdefault(outcome.command_id, []).append(outcome)
            self._hashes += [recorded.hash for recorded in outcome.events]
            self._seqs.append(outcome.events[-1].seq)
            self._moments.append(self._moment())
        check_invariants(self.shard.engine)
        self._check_against_model(self.shard.engine)
        return outcomes

    def event_record(self, record: LogRecord) -> None:
        """The event log has grown: gapless among first copies, equal in every copy (I7)."""
        for outcome in decode_events(record.value).outcomes:
            first, last = outcome.events[0].seq, outcome.events[-1].seq
            require(last <= self.seq, f"I7: seq {last} is published, the commands give {self.seq}")
            for recorded in outcome.events:
                require(
                    recorded.hash == self._hashes[recorded.seq],
                    f"I7: another event than the commands give has seq {recorded.seq}",
                )
            if last <= self.published_seq:
                continue
            require(
                first == self.published_seq + 1,
                f"I7: the event log goes from {self.published_seq} to {first}",
            )
            self.published_seq = last

    def acknowledged(self, command_id: int, outcome: CommandOutcome) -> None:
        """A trader was told an outcome (I10)."""
        known = self.by_command.get(command_id, [])
        require(len(known) == 1, f"I10: an acknowledged command has {len(known)} outcomes")
        require(bool(outcome.events), "I10: an acknowledgement without an outcome")
        told, decided = outcome.events[-1], known[0].events[-1]
        require(
            (told.seq, told.hash) == (decided.seq, decided.hash), "I10: the trader was told something else"
        )
        require(told.seq <= self.published_seq, "I10: acknowledged before the event log held it")

    def ledger_write(self, ledger: SimulatedLedger) -> None:
        """The ledger has moved (I1, I4)."""
        moment = self._at(ledger.seq, "the ledger")
        require(ledger.hash == moment.hash, f"I4: the ledger has another hash at seq {ledger.seq}")
        require(
            _without_zeros(ledger.balances) == _without_zeros(moment.balances),
            f"I4: other balances in the ledger at seq {ledger.seq}",
        )
        fees = {asset_id: fee for asset_id, fee in moment.fees.items() if fee}
        require(ledger.fees == fees, f"I1: other fees in the ledger at seq {ledger.seq}")

    def final_ledger(self, ledger: SimulatedLedger) -> None:
        """The ledger at rest: its open orders are the books, its withdrawals the engine's (I3, I5)."""
        require(ledger.seq == self.seq, f"the ledger stopped at {ledger.seq} of {self.seq}")
        books: dict[int, dict[int, dict[int, int]]] = {m: {BUY: {}, SELL: {}} for m in self.model.markets}
        for market_id, side, price_ticks, lots in ledger.open_books().levels:
            books[market_id][side][price_ticks] = lots
        for market_id, sides in books.items():
            levels = (tuple(sorted(sides[BUY].items(), reverse=True)), tuple(sorted(sides[SELL].items())))
            require(levels == self.model.levels(market_id), "I5: the ledger's open orders are not the book")
        reserved = {w for w, state in ledger.withdrawals.items() if state == RESERVED}
        require(reserved == set(self.model.withdrawals), "I3: the ledger's pending withdrawals")

    def hot_book(self, symbol: str, book: HotBook) -> None:
        """Readers of the cache see another book (I5)."""
        moment = self._at(book.seq, f"the hot book of {symbol}")
        require(book.hash == moment.hash, f"I5: {symbol} has another hash at seq {book.seq}")
        levels = (tuple(sorted(book.bids.items(), reverse=True)), tuple(sorted(book.asks.items())))
        require(levels == moment.books[symbol], f"I5: {symbol} is not the engine's book at seq {book.seq}")

    def levels(self) -> dict[str, tuple[Levels, Levels]]:
        """All books as they are now."""
        return self._moments[-1].books

    def engine(self, shard: Shard) -> None:
        """A live engine, anywhere on its way: its state is that of a replay up to there (I5, I9, I12)."""
        check_invariants(shard.engine)
        again = self.replay(Shard(self._engine()), shard.next_command_offset)
        require(state_bytes(again) == state_bytes(shard), "I12: a live engine is not what a replay gives")

    def snapshot(self, rows: list[Any]) -> None:
        """A whole snapshot: with its tail it gives what a full replay gives (I12)."""
        shard = self.replay(from_rows(rows, self._engine()), len(self.records))
        whole = self.replay(Shard(self._engine()), len(self.records))
        require(state_bytes(shard) == state_bytes(whole), "I12: snapshot and tail are not the full replay")
        require(whole.chain == self.shard.chain, "I9: the fast book gives other events than the plain one")

    def _engine(self) -> Engine:
        return Engine(limits=self.limits)

    def replay(self, shard: Shard, end: int) -> Shard:
        """Apply what a shard has not seen of the command log, up to offset `end`."""
        for record in self.records[shard.next_command_offset : end]:
            shard.apply_record(record.offset, record.timestamp_ms, record.value)
        return shard

    def _moment(self) -> _Moment:
        model = self.model
        books = {m.symbol: model.levels(m.market_id) for m in model.markets.values()}
        return _Moment(self._hashes[-1], dict(model.balances), dict(model.fees), books)

    def _at(self, seq: int, what: str) -> _Moment:
        place = bisect_right(self._seqs, seq) - 1
        require(self._seqs[place] == seq, f"{what} stands inside an outcome, at seq {seq}")
        return self._moments[place]

    def _check_against_model(self, engine: Engine) -> None:
        held = {
            (user_id, asset_id): (b.available, b.held)
            for user_id, of_user in engine.accounts.balances.items()
            for asset_id, b in of_user.items()
            if b.available or b.held
        }
        told = _without_zeros(self.model.balances)
        require(held == told, "I1: the engine's balances are not what its events say")
        for market_id, market in engine.markets.items():
            levels = tuple(tuple(market.book.depth(side, 10_000)) for side in (BUY, SELL))
            require(
                levels == self.model.levels(market_id), "I5: the engine's book is not what its events say"
            )


def _without_zeros(
    balances: dict[tuple[int, int], tuple[int, int]],
) -> dict[tuple[int, int], tuple[int, int]]:
    return {key: amounts for key, amounts in balances.items() if any(amounts)}
