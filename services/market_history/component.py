"""Follows the event log and hands its trades to a sink.

Where a follower stands is a row of the table of candles: what is kept and how far it reaches are lost,
restored and moved together, and the process needs no database. Without the row it begins where the log does,
which must be there (docs/adr/0014-market-history.md).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter, Gauge

from exchange.contracts.codec import EMPTY_CHAIN_HASH, CommandOutcome
from exchange.contracts.events import TradeExecuted
from exchange.log import gathering
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.held_reader import HeldReader
from exchange.log.portions import portions
from exchange.ports.world import HistoryError, HistoryRow, HistoryTable, Log, LogError
from exchange.process.patience import Patience
from exchange.trading.trades import Trade
from services.market_history.catalogue import Catalogue
from services.market_history.rows import position_of, position_row, position_series
from services.market_history.sinks import SeenTrade, Sink, put_rows

__all__ = ["HistoryFollower", "PositionError"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 500
TRADES_PER_BATCH_MAX: Final = 2_000
# How many events without a trade may have to be read again after a restart.
EVENTS_UNRECORDED_MAX: Final = 20_000
LAG_INTERVAL_S: Final = 10.0
_LOG_ERRORS: Final = (LogError, OSError, TimeoutError)

_seq = Gauge("exchange_market_history_seq", "Event up to which everything is written.", ["follower"])
_lag_records = Gauge(
    "exchange_market_history_lag_records", "Records on the event log that are not written.", ["follower"]
)
_trades_total = Counter("exchange_market_history_trades_total", "Trades written.", ["follower"])
_failures_total = Counter(
    "exchange_market_history_failures_total", "Failures after which it tries again.", ["follower"]
)


class PositionError(Exception):
    """The position is not what this process left: another one writes, or the log is of another history."""


class HistoryFollower:
    """Component that writes the log's trades to one sink.

    Tries for ever while the log, the table or the sink is away, and says so in `readiness`. Ends with
    PositionError, ChainError or CodecError.
    """

    def __init__(
        self,
        follower: str,
        log: Log,
        table: HistoryTable,
        sink: Sink,
        *,
        shard: int,
        age_ms: int,
        log_deadline_ms: int,
    ) -> None:
        """`follower` is its name in positions and metrics; `table` keeps positions and markets."""
        self.name = f"market-history-{follower}"
        self._follower = follower
        self._log = log
        self._table = table
        self._sink = sink
        self._shard = shard
        self._age_s = age_ms / 1000
        self._log_deadline_s = log_deadline_ms / 1000
        self._catalogue = Catalogue(shard)
        self._position = TailPosition(0, EMPTY_CHAIN_HASH, 0)
        # Everything up to this event is written.
        self.recorded_seq = 0
        self._reader = HeldReader(self.name, log, log_deadline_ms, gathering.MARKET_HISTORY_MS)
        self._tail: EventTail | None = None
        self._trades: list[SeenTrade] = []
        self._listings: list[HistoryRow] = []
        self._patience = Patience(self.name, (*_LOG_ERRORS, HistoryError), _failures_total.labels(self.name))
        self._log_problem: str | None = None

    async def start(self) -> None:
        """Nothing: `run` finds its place, as often as it takes, so that a table that is away stops nobody."""

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name=f"{self.name}-follow")
            group.create_task(self._watch_lag(), name=f"{self.name}-lag")

    async def stop(self) -> None:
        """Close the reader; what was read and not written is read again."""
        self._patience.problem = "stopped"
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last try to follow the log and to write worked."""
        return {self.name: self._patience.problem or self._log_problem}

    async def _follow(self) -> None:
        async for attempt in self._patience.attempts():
            with attempt:
                await self._find_place()
        while True:
            await self._fill_batch()
            await self._write_batch()

    async def _find_place(self) -> None:
        rows = await self._table.read(position_series(self._shard, self._follower), 0, 0, limit=1)
        if rows:
            self._position = position_of(rows[0])
        await self._catalogue.load(self._table)
        async with asyncio.timeout(self._log_deadline_s):
            end = await self._log.end_offset()
        if self._position.next_offset > end:
            raise PositionError(
                f"{self.name} stands at offset {self._position.next_offset}, but the log ends at {end}: "
                "restore the log from the archive, or keep the history of another log elsewhere"
            )
        self.recorded_seq = self._position.seq
        _seq.labels(self._follower).set(self.recorded_seq)
        logger.info("%s goes on at seq %d, offset %d of %d", self.name, self._position.seq,
                    self._position.next_offset, end)  # fmt: skip

    async def _fill_batch(self) -> None:
        """Read until there is enough to write, or the first of it has waited long enough."""
        due_s: float | None = None
        while len(self._trades) < TRADES_PER_BATCH_MAX:
            timeout_ms = READ_TIMEOUT_MS
            if due_s is not None:
                left_ms = int((due_s - time.monotonic()) * 1000)
                if left_ms <= 0:
                    return
                timeout_ms = min(READ_TIMEOUT_MS, left_ms)
            async for attempt in self._patience.attempts():
                with attempt:
                    outcomes = await self._read(timeout_ms)
            for portion in portions(outcomes):
                for outcome in portion:
                    self._take(outcome)
                await asyncio.sleep(0)
            waits = self._trades or self._listings
            if due_s is None and (waits or self._position.seq - self.recorded_seq > EVENTS_UNRECORDED_MAX):
                due_s = time.monotonic() + self._age_s

    async def _read(self, timeout_ms: int) -> list[CommandOutcome]:
        try:
            if self._tail is None:
                await self._reader.open(self._position.next_offset)
                self._tail = EventTail(self._reader, self._position)
            outcomes = await self._tail.read(timeout_ms)
        except _LOG_ERRORS:
            # A reader that failed is not to be trusted with what comes next.
            self._tail = None
            await self._reader.close()
            raise
        self._patience.worked()
        return outcomes

    def _take(self, outcome: CommandOutcome) -> None:
        for recorded in outcome.events:
            event = recorded.event
            if isinstance(event, TradeExecuted):
                market = self._catalogue.markets[event.market_id]
                self._trades.append(SeenTrade(market, Trade.from_event(event, outcome.time_ms), recorded.seq))
            else:
                listing = self._catalogue.apply(event)
                if listing is not None:
                    self._listings.append(listing)

    async def _write_batch(self) -> None:
        await put_rows(self._table, self._listings, self._patience)
        await self._sink.write(self._trades, self._patience)
        await self._record_position()
        _trades_total.labels(self._follower).inc(len(self._trades))
        self._listings, self._trades = [], []

    async def _record_position(self) -> None:
        """Move the row on, and see that it is where it was put: two followers of one name write one after
        the other at best, and the one that is behind must stop."""
        row = position_row(self._shard, self._follower, self._position)
        await put_rows(self._table, [row], self._patience, "seq")
        async for attempt in self._patience.attempts():
            with attempt:
                found = await self._table.read(row.series, row.number, row.number, limit=1)
        if [one.values for one in found] != [row.values]:
            raise PositionError(f"{self.name} is at seq {self._position.seq}, but another one went on")
        self.recorded_seq = self._position.seq
        _seq.labels(self._follower).set(self.recorded_seq)

    async def _watch_lag(self) -> None:
        while True:
            await asyncio.sleep(LAG_INTERVAL_S)
            try:
                async with asyncio.timeout(self._log_deadline_s):
                    end = await self._log.end_offset()
            except _LOG_ERRORS as error:
                self._log_problem = f"{type(error).__name__}: {error}"
                continue
            self._log_problem = None
            _lag_records.labels(self._follower).set(max(0, end - self._position.next_offset))
