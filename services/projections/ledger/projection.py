"""The ledger projection: events to PostgreSQL, in order, each exactly once (design decision 8).

The database's own position is the only truth about what was written: after any failure the projector
reads it again and goes on from there, so start-up and recovery are the same code.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
from prometheus_client import Counter, Gauge, Histogram

from exchange.contracts.codec import CommandOutcome, decode_events
from exchange.contracts.limits import LEDGER_ENTRIES_PER_BATCH_MAX, LEDGER_OUTCOMES_PER_BATCH_MAX
from exchange.log import gathering
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.held_reader import HeldReader
from exchange.ports.world import LogError, LogReader
from exchange.process.components import Resources
from exchange.process.crash_points import crash_point
from exchange.process.tracing import Tracing
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.entries import MarketAssets, entries_max_of
from services.projections.ledger.store import FencedError, LedgerStore, PostgresLedger
from services.projections.ledger.tracing import LedgerSpans
from services.projections.retries import RETRYABLE, patience

__all__ = ["LedgerProjection"]

logger = logging.getLogger(__name__)

OUTCOMES_PER_BATCH_MAX: Final = LEDGER_OUTCOMES_PER_BATCH_MAX
ENTRIES_PER_BATCH_MAX: Final = LEDGER_ENTRIES_PER_BATCH_MAX
READ_TIMEOUT_MS: Final = 500
# Asking Kafka for its end costs a connection, so not often.
LAG_INTERVAL_S: Final = 10.0
# Between two steps of folding older trades into candles, and between two looks whether there are any.
FOLD_PAUSE_S: Final = 0.02
FOLD_LOOK_S: Final = 10.0

_last_seq = Gauge("exchange_ledger_last_seq", "Seq of the last event that the ledger holds.")
_lag_seq = Gauge("exchange_ledger_lag_seq", "Events on the log that the ledger does not hold yet.")
_delay_s = Gauge("exchange_ledger_delay_seconds", "Age of the newest event when it was written.")
_batch_outcomes = Histogram(
    "exchange_ledger_batch_outcomes",
    "Outcomes written in one transaction.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000, OUTCOMES_PER_BATCH_MAX),
)
_write_s = Histogram(
    "exchange_ledger_write_seconds",
    "Time of one transaction.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
_entries_total = Counter("exchange_ledger_entries_total", "Ledger entries written.")
_unfolded_trades = Gauge(
    "exchange_ledger_unfolded_trades", "Trades of before this version that are in no candle yet."
)
_failures_total = Counter("exchange_ledger_failures_total", "Failures after which the projection resumed.")


class LedgerProjection:
    """Component that tails the event log into PostgreSQL, or into another given `store`.

    Ends with FencedError when another projector writes, with ChainError or CodecError when the log is
    not what the engine writes, and with the last connection error after RETRY_S_MAX of trying.
    """

    name = "ledger"

    def __init__(
        self, resources: Resources, store: LedgerStore | None = None, tracing: Tracing | None = None
    ) -> None:
        self._settings = resources.settings
        self._log = resources.event_log
        self._store = store or PostgresLedger(resources.database, resources.settings.database_deadline_ms)
        self._reader = HeldReader(self.name, self._log, self._settings.log_deadline_ms, gathering.LEDGER_MS)
        self._spans = None if tracing is None else LedgerSpans(tracing)
        self._tail: EventTail | None = None
        self._markets: dict[int, MarketAssets] = {}
        # Seqs at which the database may stand if nobody else writes; None: not read yet.
        self._allowed_seqs: frozenset[int] | None = None
        self._written = TailPosition(0, b"", 0)
        # Read and not written yet: (outcomes, where the log goes on behind the last of them, and before all).
        self._unwritten: Sequence[CommandOutcome] = ()
        self._gulp_offset = 0
        # Of the next transaction; less after one that took too long.
        self._entries_max = ENTRIES_PER_BATCH_MAX
        self._patience = patience(self.name, _failures_total)
        self._log_problem: str | None = None

    @property
    def last_seq(self) -> int:
        """Seq of the last event known to be written."""
        return self._written.seq

    async def start(self) -> None:
        """Read the position and open the log there. Bounded retries, then raises."""
        async for attempt in self._patience.attempts():
            with attempt:
                await self._resume()

    async def run(self) -> None:
        """Project until cancelled. Raises as the class says."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="ledger-follow")
            group.create_task(self._watch_lag(), name="ledger-lag")
            group.create_task(self._fold_older(), name="ledger-candles")

    async def stop(self) -> None:
        """Close the reader."""
        self._patience.problem = "stopped"
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last try to write the ledger worked, and whether the log answers."""
        return {self.name: self._patience.problem, "event_log": self._log_problem}

    async def _follow(self) -> None:
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        if self._tail is None:
                            await self._resume()
                        await self._project()
                    except BaseException as error:
                        # What was read and not written has to be read again.
                        self._tail, self._unwritten = None, ()
                        if isinstance(error, (TimeoutError, asyncpg.QueryCanceledError)):
                            self._shrink()
                        raise

    async def _resume(self) -> None:
        """Take the database's word for where we stand, and read the log from there."""
        position, self._markets = await self._store.resume(self._settings.shard)
        if self._allowed_seqs is not None and position.seq not in self._allowed_seqs:
            raise FencedError(f"the ledger is at seq {position.seq}, this process left it at {self.last_seq}")
        await self._reader.open(position.next_offset)
        reader: LogReader = self._reader
        if self._spans is not None:
            self._spans.forget()
            reader = self._spans.watching(reader)
        self._tail = EventTail(reader, position)
        self._set_written(TailPosition(position.seq, position.hash, position.next_offset))

    async def _project(self) -> None:
        """Write one transaction's worth of what was read; with nothing left of it, read first.

        One at a time, so that each that worked is progress: trying again begins behind it.
        """
        tail = self._tail
        assert tail is not None
        if not self._unwritten:
            await self._read_gulp(tail)
        if self._unwritten:
            count = chunk_length(self._unwritten, self._entries_max)
            chunk, rest = self._unwritten[:count], self._unwritten[count:]
            # Inside a gulp the log is to be read again from its start: the tail drops what is known.
            offset = self._gulp_offset if rest else tail.position.next_offset
            last = chunk[-1].events[-1]
            await self._write(chunk, TailPosition(last.seq, last.hash, offset))
            self._unwritten = rest
            self._entries_max = min(ENTRIES_PER_BATCH_MAX, 2 * self._entries_max)
        if self._spans is not None and not self._unwritten:
            self._spans.forget()
        self._patience.worked()

    async def _read_gulp(self, tail: EventTail) -> None:
        """Read what has come; the reader gathers."""
        self._gulp_offset = tail.position.next_offset
        self._unwritten = await tail.read(READ_TIMEOUT_MS)

    def _shrink(self) -> None:
        """The same transaction again would take as long again: the next is half as large."""
        self._entries_max = max(1, self._entries_max // 2)
        logger.warning("ledger: the next transaction has %d entries at most", self._entries_max)

    async def _write(self, outcomes: Sequence[CommandOutcome], position: TailPosition) -> None:
        batch = LedgerBatch(self._markets)
        batch.add(outcomes)
        time_ms = outcomes[-1].time_ms
        expected_seq = self._written.seq
        self._allowed_seqs = frozenset((expected_seq, position.seq))
        started = time.perf_counter()
        await self._store.write(self._settings.shard, expected_seq, position, time_ms, batch)
        crash_point("ledger.after-commit")
        if self._spans is not None:
            self._spans.written(outcomes)
        _write_s.observe(time.perf_counter() - started)
        _batch_outcomes.observe(len(outcomes))
        _entries_total.inc(len(batch.entries))
        _delay_s.set(time.time() - time_ms / 1000)
        self._set_written(position)

    def _set_written(self, position: TailPosition) -> None:
        self._written = position
        self._allowed_seqs = frozenset((position.seq,))
        _last_seq.set(position.seq)

    async def _fold_older(self) -> None:
        """Bring trades that were written before there were candles into them, a step at a time."""
        said_s = 0.0
        while True:
            try:
                behind = await self._store.fold_older()
            except RETRYABLE as error:
                logger.warning("ledger: older trades are not folded: %r", error)
                await asyncio.sleep(FOLD_LOOK_S)
                continue
            missing = sum(market.newest_id - market.folded_id for market in behind)
            _unfolded_trades.set(missing)
            if missing and time.monotonic() >= said_s + FOLD_LOOK_S:
                said_s = time.monotonic()
                logger.info("ledger: %d older trades are still to be folded into candles", missing)
            await asyncio.sleep(FOLD_PAUSE_S if behind else FOLD_LOOK_S)

    async def _watch_lag(self) -> None:
        """Measure how far the log is ahead. Readers of a log that is away may just stay silent."""
        while True:
            await asyncio.sleep(LAG_INTERVAL_S)
            try:
                async with asyncio.timeout(self._settings.log_deadline_ms / 1000):
                    end_offset = await self._log.end_offset()
                    self._log_problem = None
                    if end_offset <= self._written.next_offset:
                        _lag_seq.set(0)
                        continue
                    newest = await self._log.last()
            except (LogError, OSError, TimeoutError) as error:
                self._log_problem = f"{type(error).__name__}: {error}"
                logger.warning("ledger: the lag is not known: %s", error)
                continue
            if newest is not None:
                outcomes = decode_events(newest.value).outcomes
                _lag_seq.set(max(0, outcomes[-1].events[-1].seq - self._written.seq))


def chunk_length(outcomes: Sequence[CommandOutcome], entries_max: int) -> int:
    """How many of the outcomes go into one transaction: at least one, however large."""
    entries = 0
    for position, outcome in enumerate(outcomes):
        entries += entries_max_of(outcome)
        if position and (entries > entries_max or position == OUTCOMES_PER_BATCH_MAX):
            return position
    return len(outcomes)
