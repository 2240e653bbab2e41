"""The book projection: events to the hot book in Valkey or Redis (design decision 9).

Memory is what is true here; the cache is a copy that may be lost at any time. Each market's copy is
moved from one seq to the next by a compare-and-set, or else written anew beside the old one.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import Counter, Gauge

from exchange.contracts.codec import CommandOutcome
from exchange.log import gathering
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.held_reader import HeldReader
from exchange.log.portions import portions
from exchange.ports.world import LogTimeoutError
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS
from services.projections.book.cache import (
    APPLIED,
    OLDER,
    BookCache,
    BookChange,
    BookImage,
    HotBooks,
    WriteResult,
)
from services.projections.book.state import Books, MarketBook
from services.projections.ledger.store import LedgerStore, PostgresLedger
from services.projections.retries import patience

__all__ = ["BookProjection"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 250
VERIFY_INTERVAL_S: Final = 1.0
CACHE_RETRY_S_MIN: Final = 0.1
CACHE_RETRY_S_MAX: Final = 5.0

_last_seq = Gauge("exchange_book_last_seq", "Seq of the last event in the books in memory.")
_writes_total = Counter(
    "exchange_book_writes_total", "Changes of a market's hot book by verdict.", ["verdict"]
)
_rebuilds_total = Counter("exchange_book_rebuilds_total", "Hot books written anew.")
_failures_total = Counter("exchange_book_failures_total", "Failed tries to write the cache.")


class _Copy:
    """What we know of one market's copy in the cache; `generation` "" means it must be looked at."""

    def __init__(self) -> None:
        self.generation = ""
        self.seq = 0
        self.hash = b""


class BookProjection:
    """Component that keeps the cache's books equal to the events.

    Without the cache it goes on in memory and writes the books anew when the cache is back. Ends with
    BookError, ChainError or CodecError when the log contradicts itself, and with the last LogError
    after RETRY_S_MAX of trying.
    """

    name = "book"

    def __init__(
        self, resources: Resources, ledger: LedgerStore | None = None, cache: HotBooks | None = None
    ) -> None:
        self._settings = resources.settings
        self._log = resources.event_log
        self._ledger = ledger or PostgresLedger(resources.database, resources.settings.database_deadline_ms)
        self._cache = cache or BookCache(resources.cache)
        self.books = Books()
        self._copies: dict[int, _Copy] = {}
        self._position = TailPosition(0, b"", 0)
        self._time_ms = 0
        self._reader = HeldReader(self.name, self._log, self._settings.log_deadline_ms, gathering.BOOK_MS)
        self._tail: EventTail | None = None
        self._patience = patience(self.name)
        self._cache_problem: str | None = None
        self._cache_retry_s = CACHE_RETRY_S_MIN
        self._cache_retry_at = 0.0
        self._verify_at = 0.0

    @property
    def last_seq(self) -> int:
        """Seq of the last event in the books in memory."""
        return self._position.seq

    async def start(self) -> None:
        """Build the books from the ledger, catch up with the log, write every book anew."""
        async for attempt in self._patience.attempts():
            with attempt:
                await self._load()
                await self._open()
                await self._catch_up()
        # Whatever the cache has may be of another history: the first write does not look at it.
        try:
            for market_id in self.books.markets:
                await self._replace(market_id)
        except CACHE_ERRORS as error:
            self._note_cache_failure(error)

    async def run(self) -> None:
        """Follow the log until cancelled. Raises as the class says."""
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        if self._tail is None:
                            await self._open()
                        await self._read_gulp(READ_TIMEOUT_MS)
                    except BaseException:
                        # A reader that failed is not to be trusted with what comes next.
                        self._tail = None
                        raise
            await self._write()

    async def stop(self) -> None:
        """Close the reader."""
        self._patience.problem = "stopped"
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the log can be followed, and whether the cache takes the books."""
        return {self.name: self._patience.problem, "book_cache": self._cache_problem}

    # -- memory -------------------------------------------------------------------------------

    async def _load(self) -> None:
        """The ledger's open orders are the book at the ledger's position."""
        found = await self._ledger.open_books(self._settings.shard)
        books = Books()
        for market_id, symbol in found.markets:
            books.add(market_id, symbol)
        for market_id, side, price_ticks, lots in found.levels:
            books.markets[market_id].change(side, price_ticks, lots)
        self.books = books
        self._copies = {}
        self._position = found.position
        self._time_ms = found.time_ms

    async def _open(self) -> None:
        await self._reader.open(self._position.next_offset)
        self._tail = EventTail(self._reader, self._position)

    async def _catch_up(self) -> None:
        deadline_ms = self._settings.log_deadline_ms
        async with asyncio.timeout(deadline_ms / 1000):
            end_offset = await self._log.end_offset()
        while self._position.next_offset < end_offset:
            before = self._position.next_offset
            await self._read_gulp(deadline_ms)
            if self._position.next_offset == before:
                raise LogTimeoutError(f"record {before} of {end_offset} did not come")

    async def _read_gulp(self, timeout_ms: int) -> None:
        """Apply what has come."""
        tail = self._tail
        assert tail is not None
        outcomes = await tail.read(timeout_ms)
        # Nobody reads position and books before this method is done with both.
        await self._apply(outcomes)
        if outcomes:
            self._time_ms = outcomes[-1].time_ms
        self._patience.worked()
        _last_seq.set(self._position.seq)

    async def _apply(self, outcomes: Sequence[CommandOutcome]) -> None:
        for portion in portions(outcomes):
            self.books.apply(portion)
            await asyncio.sleep(0)

    # -- cache --------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Bring the cache up to date, unless it failed a moment ago. Never raises for the cache."""
        now = asyncio.get_running_loop().time()
        if now < self._cache_retry_at:
            return
        try:
            await self._write_now(now)
        except CACHE_ERRORS as error:
            self._note_cache_failure(error)
        else:
            self._cache_problem = None
            self._cache_retry_s = CACHE_RETRY_S_MIN

    def _note_cache_failure(self, error: BaseException) -> None:
        self._cache_problem = f"{type(error).__name__}: {error}"
        self._cache_retry_at = asyncio.get_running_loop().time() + self._cache_retry_s
        self._cache_retry_s = min(2 * self._cache_retry_s, CACHE_RETRY_S_MAX)
        _failures_total.inc()
        logger.warning("book: the cache failed: %s", self._cache_problem)

    async def _write_now(self, now: float) -> None:
        if now >= self._verify_at:
            await self._verify()
            self._verify_at = now + VERIFY_INTERVAL_S
        changes: dict[int, BookChange] = {}
        for market_id, book in self.books.markets.items():
            copy = self._copies.setdefault(market_id, _Copy())
            if not copy.generation:
                await self._adopt_or_replace(market_id)
            elif book.is_touched:
                changes[market_id] = self._change(book, copy)
        results = await self._cache.apply(list(changes.values()))
        for (market_id, change), result in zip(changes.items(), results, strict=True):
            _writes_total.labels(result.verdict).inc()
            await self._settle(market_id, change, result)

    def _change(self, book: MarketBook, copy: _Copy) -> BookChange:
        bids, asks = book.touched()
        return BookChange(
            book.symbol,
            copy.generation,
            copy.seq,
            copy.hash,
            self._position.seq,
            self._position.hash,
            self._time_ms,
            bids,
            asks,
        )

    async def _settle(self, market_id: int, change: BookChange, result: WriteResult) -> None:
        copy, book = self._copies[market_id], self.books.markets[market_id]
        is_same = (result.seq, result.hash) == (change.seq, change.hash)
        if result.verdict == APPLIED or is_same or (result.verdict == OLDER and result.seq > change.seq):
            # Beyond us: another projector is ahead. Our changes are in, and lots are absolute.
            copy.seq, copy.hash = result.seq, result.hash
            book.forget_touched()
        else:
            await self._adopt_or_replace(market_id)

    async def _adopt_or_replace(self, market_id: int) -> None:
        """Follow a copy that is as new as ours, else write ours anew."""
        book, copy = self.books.markets[market_id], self._copies.setdefault(market_id, _Copy())
        copy.generation = ""
        there = await self._cache.current(book.symbol)
        if there is not None and (
            there.seq > self._position.seq
            or (there.seq, there.hash) == (self._position.seq, self._position.hash)
        ):
            copy.generation, copy.seq, copy.hash = there
            book.forget_touched()
        else:
            await self._replace(market_id)

    async def _replace(self, market_id: int) -> None:
        book, copy = self.books.markets[market_id], self._copies.setdefault(market_id, _Copy())
        position = self._position
        bids, asks = book.levels()
        image = BookImage(position.seq, position.hash, self._time_ms, bids, asks)
        generation = await self._cache.replace(book.symbol, image)
        _rebuilds_total.inc()
        copy.generation = generation or ""
        if generation:
            copy.seq, copy.hash = position.seq, position.hash
            book.forget_touched()

    async def _verify(self) -> None:
        """A cache that lost a book, or went back in time, tells nobody: ask it."""
        known = {market_id: copy for market_id, copy in self._copies.items() if copy.generation}
        pairs = [(self.books.markets[market_id].symbol, copy.generation) for market_id, copy in known.items()]
        for copy, seq in zip(known.values(), await self._cache.positions(pairs), strict=True):
            if seq is None or seq < copy.seq:
                copy.generation = ""
