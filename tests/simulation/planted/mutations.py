"""Planted bugs: each is a mistake that somebody could make, and that some seed must catch.

Planted from outside for the time of a run; the code under test has no hooks for it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from exchange.contracts.chain import ChainLink
from exchange.contracts.codec import CommandOutcome, ReadLink, encode_commands
from exchange.contracts.codes import CLOSED_TOO_MANY_FILLS, EXPIRED, STP_NONE
from exchange.contracts.events import Outcome
from exchange.log import event_tail, gateway
from exchange.ports.world import LogError
from matching_engine import runner, snapshotting
from matching_engine.core import book, cancelling, engine, id_window, matching, treasury
from matching_engine.core import trading as core_trading
from matching_engine.core.accounts import Balance
from matching_engine.core.book import Book
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market, within_limit
from matching_engine.core.order import Level, Order
from matching_engine.core.shard import Shard
from matching_engine.outbox import Outbox
from matching_engine.snapshots import Snapshot, capture
from services.projections.book import projection as book_projection
from services.projections.book.cache import BookChange
from services.projections.ledger import projection as ledger_projection
from services.projections.ledger.store import OpenBooks
from tests.simulation.adapters.calls import ask
from tests.simulation.adapters.hot_books import SimulatedHotBooks
from tests.simulation.adapters.ledger import LedgerPort, SimulatedLedger
from tests.simulation.loop import patched
from tests.simulation.planted.chain import CHAIN_BUGS
from tests.simulation.planted.fees import MUTATIONS_OF_FEES
from tests.simulation.planted.lies import LIES
from tests.simulation.planted.terms import MUTATIONS_OF_TERMS

__all__ = ["MUTATIONS"]

Planting = Callable[[], AbstractContextManager[Any]]
EngineRunner = runner.EngineRunner


# -- the core ---------------------------------------------------------------------------------------


def _release_twice() -> AbstractContextManager[None]:
    def release(self: Balance, amount: int) -> None:
        self.held -= amount
        self.available += 2 * amount

    return patched(Balance, release=release)


def _forget_hold_of_cancelled() -> AbstractContextManager[None]:
    close = matching.close

    def closing(state: Any, market: Any, order: Order, *rest: Any) -> None:
        order.held_atoms = 0
        close(state, market, order, *rest)

    return patched(cancelling, close=closing)


def _deposit_ids_not_remembered() -> AbstractContextManager[None]:
    return patched(id_window.IdWindow, contains=lambda self, identifier: False)


def _withdrawal_settled_twice() -> AbstractContextManager[None]:
    settle = treasury.settle_withdrawal

    def settling(state: Any, command: Any, events: Outcome) -> None:
        pending = state.withdrawals.get(command.withdrawal_id)
        settle(state, command, events)
        if pending is not None:
            state.withdrawals[command.withdrawal_id] = pending

    return patched(engine, settle_withdrawal=settling)


def _last_in_first_out() -> AbstractContextManager[None]:
    add = Book.add

    def adding(self: Book, order: Order) -> None:
        add(self, order)
        level = order.level
        if isinstance(level, Level) and level.head is not order and level.tail is order:
            before = order.previous
            assert before is not None
            before.next, level.tail = None, before
            order.previous, order.next = None, level.head
            assert level.head is not None
            level.head.previous, level.head = order, order

    return patched(book.Book, add=adding)


def _clock_follows_the_broker() -> AbstractContextManager[None]:
    decide = engine.Engine.decide

    def deciding(self: engine.Engine, command: Any, time_ms: int, events: Any) -> None:
        self.now_ms = 0
        decide(self, command, time_ms, events)

    return patched(engine.Engine, decide=deciding)


def _fills_unbounded() -> AbstractContextManager[None]:
    return patched(EngineState, fills_max=lambda self: UNBOUNDED)


def _walk_beyond_the_bound() -> AbstractContextManager[None]:
    fillable: Any = Market.fillable

    def walking(self: Market, *arguments: Any) -> tuple[int, int]:
        found: tuple[int, int] = fillable(self, *arguments[:5], UNBOUNDED, *arguments[6:])
        return found

    return patched(Market, fillable=walking)


def _remainder_rests_crossed() -> AbstractContextManager[None]:
    match = matching.match

    def meeting(state: Any, market: Any, taker: Order, left: int, events: Outcome) -> bool:
        close, was_cut = matching.close, False

        def closing(*arguments: Any) -> None:
            nonlocal was_cut
            if arguments[4] == CLOSED_TOO_MANY_FILLS:
                was_cut = True
            else:
                close(*arguments)

        with patched(matching, close=closing):
            return match(state, market, taker, left, events) or was_cut

    return patched(core_trading, match=meeting)


def _prevented_trades_not_counted() -> AbstractContextManager[None]:
    prevent = matching._prevent

    def meeting(state: Any, market: Any, taker: Order, left: int, events: Outcome) -> bool:
        side = 3 - taker.side
        while taker.open_lots:
            maker = market.book.best(side)
            if maker is None or not within_limit(taker.side, taker.price_ticks, maker.price_ticks):
                return True
            if maker.user_id == taker.user_id and taker.stp_mode != STP_NONE:
                if not prevent(state, market, taker, maker, events):
                    return False
                continue
            if left == 0:
                reason = CLOSED_TOO_MANY_FILLS
                matching.close(state, market, taker, EXPIRED, reason, "", 0, events)
                return False
            left -= 1
            matching._trade(state, market, taker, maker, events)
        return True

    return patched(core_trading, match=meeting)


def _deposits_counted_for_ever() -> AbstractContextManager[None]:
    return patched(treasury, counts_money_inside=lambda version: False)


# -- the runner -------------------------------------------------------------------------------------


def _on_past_a_failed_publish() -> AbstractContextManager[None]:
    publish = EngineRunner._publish_pending

    async def publishing(self: Any) -> None:
        try:
            await publish(self)
        except LogError:
            self.outbox.published(list(self.outbox.pending))

    return patched(EngineRunner, _publish_pending=publishing)


def _buffer_dropped_at_takeover() -> AbstractContextManager[None]:
    take_over = EngineRunner._take_over

    async def taking_over(self: Any) -> None:
        self.outbox.published(list(self.outbox.pending))
        await take_over(self)

    return patched(EngineRunner, _take_over=taking_over)


def _emits_from_the_wrong_seq() -> AbstractContextManager[None]:
    take_over = EngineRunner._take_over

    async def taking_over(self: Any) -> None:
        self.outbox.published(list(self.outbox.pending)[:1])
        await take_over(self)

    return patched(EngineRunner, _take_over=taking_over)


def _deposed_leader_goes_on() -> AbstractContextManager[None]:
    async def lead(self: Any) -> None:
        while True:
            self._apply(await self._reader.read(1_000))
            await self._publish_pending()

    return patched(EngineRunner, _lead=lead)


def _lease_taken_for_safety() -> AbstractContextManager[None]:
    async def stand_by(self: Any, elector: Any) -> None:
        while not elector.is_holding:
            self._apply(await self._reader.read(200))
            self._turned_at_s = asyncio.get_running_loop().time()

    return patched(EngineRunner, _stand_by=stand_by)


def _snapshot_with_the_wrong_offset() -> AbstractContextManager[None]:
    def capturing(shard: Shard) -> Snapshot:
        shard.next_command_offset += 1
        try:
            return capture(shard)
        finally:
            shard.next_command_offset -= 1

    return patched(snapshotting, capture=capturing)


def _snapshot_before_its_events() -> AbstractContextManager[None]:
    async def store(self: Any, snapshot: Snapshot) -> None:
        await self._snapshots.store(snapshot)

    return patched(snapshotting.SnapshotTaker, _store=store)


def _end_of_events_taken_from_one_record() -> AbstractContextManager[None]:
    return patched(event_tail, _STALE_RECORDS_MAX=1)


def _standby_forgets_without_seeing() -> AbstractContextManager[None]:
    add = Outbox.add

    def adding(self: Outbox, links: Iterable[ChainLink]) -> None:
        add(self, links)
        while len(self.pending) > 3:
            self.published_seq = self.pending.popleft().last_seq

    return patched(Outbox, add=adding)


# -- the ways there and back ------------------------------------------------------------------------


def _tail_keeps_repeats() -> AbstractContextManager[None]:
    advance = event_tail.EventTail._advance

    def advancing(self: Any, link: ReadLink) -> Sequence[CommandOutcome]:
        return advance(self, link) or link.outcomes

    return patched(event_tail.EventTail, _advance=advancing)


def _gateway_answers_before_the_outcome() -> AbstractContextManager[None]:
    encode = encode_commands

    async def run(self: Any) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._queue[:] = list(self._queue), []
            if batch:
                await self._writer.append(encode(batch))
                self.resolve(CommandOutcome(0, 0, command.command_id, 0, ()) for command in batch)

    return patched(gateway.CommandGateway, run=run)


def _gateway_sends_again() -> AbstractContextManager[None]:
    run = gateway.CommandGateway.run

    class Insisting:
        def __init__(self, writer: Any) -> None:
            self._writer = writer

        async def append(self, value: bytes) -> int:
            try:
                return int(await self._writer.append(value))
            except LogError:
                return int(await self._writer.append(value))

    async def running(self: Any) -> None:
        self._writer = Insisting(self._writer)
        await run(self)

    return patched(gateway.CommandGateway, run=running)


def _ledger_without_compare_and_set() -> AbstractContextManager[None]:
    return patched(SimulatedLedger, fence=lambda self, expected_seq: None)


def _ledger_believes_itself() -> AbstractContextManager[None]:
    resume = ledger_projection.LedgerProjection._resume

    async def resuming(self: Any) -> None:
        mine = self._written
        await resume(self)
        if mine.seq and self._tail is not None:
            self._tail.position.seq, self._tail.position.hash = mine.seq, mine.hash
            self._written = mine

    return patched(ledger_projection.LedgerProjection, _resume=resuming)


def _lost_book_not_noticed() -> AbstractContextManager[None]:
    async def verify(self: Any) -> None:
        return None

    return patched(book_projection.BookProjection, _verify=verify)


def _cache_applies_what_does_not_fit() -> AbstractContextManager[None]:
    apply = SimulatedHotBooks._apply

    def applying(self: Any, change: BookChange) -> Any:
        book = self.shown(change.symbol)
        if book is not None and book.seq < change.seq:
            change = change._replace(expected_seq=book.seq, expected_hash=book.hash)
        return apply(self, change)

    return patched(SimulatedHotBooks, _apply=applying)


def _ledger_read_in_two_transactions() -> AbstractContextManager[None]:
    async def open_books(self: LedgerPort, shard: int) -> OpenBooks:
        position, _ = await self.resume(shard)
        books = await ask(self._wires, self._process, self._ledger.open_books, error=ConnectionError)
        return books._replace(position=position)

    return patched(LedgerPort, open_books=open_books)


MUTATIONS: Final[dict[str, Planting]] = {
    "a hold is released twice": _release_twice,
    "the hold of a cancelled order is forgotten": _forget_hold_of_cancelled,
    "ids of deposits are not remembered": _deposit_ids_not_remembered,
    "a withdrawal can be settled twice": _withdrawal_settled_twice,
    "the newest order of a price trades first": _last_in_first_out,
    "the engine's clock follows the broker's back": _clock_follows_the_broker,
    "an order meets as many others as there are": _fills_unbounded,
    "the book is looked at further than matching goes": _walk_beyond_the_bound,
    "what is left of a cut order rests where it would trade": _remainder_rests_crossed,
    "trades with oneself that are prevented are not counted": _prevented_trades_not_counted,
    "the deposit limit counts what has left again": _deposits_counted_for_ever,
    "the engine goes on past a failed publish": _on_past_a_failed_publish,
    "the standby's buffer is dropped at takeover": _buffer_dropped_at_takeover,
    "a new leader emits from the wrong seq": _emits_from_the_wrong_seq,
    "another's marker is ignored": _deposed_leader_goes_on,
    "the lease is taken for safety: no marker": _lease_taken_for_safety,
    "a snapshot has the wrong offset": _snapshot_with_the_wrong_offset,
    "a snapshot is kept before its events are": _snapshot_before_its_events,
    "the end of the events is taken from the last record": _end_of_events_taken_from_one_record,
    "a standby forgets what nobody published": _standby_forgets_without_seeing,
    "the tail keeps repeats": _tail_keeps_repeats,
    "the gateway answers before the outcome": _gateway_answers_before_the_outcome,
    "the gateway sends again what may have landed": _gateway_sends_again,
    "the ledger has no compare-and-set": _ledger_without_compare_and_set,
    "the ledger believes itself, not the database": _ledger_believes_itself,
    "a lost book in the cache is not noticed": _lost_book_not_noticed,
    "the cache applies changes that do not fit": _cache_applies_what_does_not_fit,
    "position and orders are read in two transactions": _ledger_read_in_two_transactions,
    **CHAIN_BUGS,
    **MUTATIONS_OF_TERMS,
    **MUTATIONS_OF_FEES,
    **LIES,
}
