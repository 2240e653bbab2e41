"""The cache of books in memory: the Lua scripts' rules, and a server that forgets or goes back in time."""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from redis.exceptions import ConnectionError as CacheConnectionError

from services.projections.book.cache import (
    APPLIED,
    MISSING,
    OLDER,
    BookChange,
    BookImage,
    BookPointer,
    WriteResult,
)
from tests.simulation.adapters.calls import Wires, ask, reach
from tests.simulation.loop import Process

__all__ = ["HotBook", "HotBooksPort", "SimulatedHotBooks"]

_DEADLINE_S = 2.0
T = TypeVar("T")


@dataclass
class HotBook:
    """One generation of one market's book."""

    seq: int
    hash: bytes
    bids: dict[int, int]
    asks: dict[int, int]


class SimulatedHotBooks:
    """All generations, and which one readers see. `on_write` hears of every change that readers see."""

    def __init__(self, wires: Wires, on_write: Callable[[str, HotBook], None]) -> None:
        self.current: dict[str, str] = {}
        self.books: dict[tuple[str, str], HotBook] = {}
        self._wires = wires
        self._on_write = on_write
        self._generations = 0

    def of(self, process: Process) -> "HotBooksPort":
        """The cache as this process sees it."""
        return HotBooksPort(self, self._wires, process)

    def shown(self, symbol: str) -> HotBook | None:
        """What readers see."""
        return self.books.get((symbol, self.current.get(symbol, "")))

    def new_generation(self, seq: int) -> str:
        """A name that nobody has used."""
        self._generations += 1
        return f"{seq}-{self._generations}"

    def apply(self, changes: Sequence[BookChange]) -> list[WriteResult]:
        """Each change that fits."""
        return [self._apply(change) for change in changes]

    def _apply(self, change: BookChange) -> WriteResult:
        book = self.shown(change.symbol)
        if book is None or self.current[change.symbol] != change.generation:
            return WriteResult(MISSING, 0, b"")
        if book.seq >= change.seq:
            return WriteResult(OLDER, book.seq, book.hash)
        if (book.seq, book.hash) != (change.expected_seq, change.expected_hash):
            return WriteResult(MISSING, book.seq, book.hash)
        for levels, changed in ((book.bids, change.bids), (book.asks, change.asks)):
            for price_ticks, lots in changed.items():
                levels[price_ticks] = lots
                if lots == 0:
                    del levels[price_ticks]
        book.seq, book.hash = change.seq, change.hash
        self._on_write(change.symbol, book)
        return WriteResult(APPLIED, book.seq, book.hash)

    def build(self, symbol: str, generation: str, image: BookImage) -> None:
        """Write a generation aside."""
        self.books[symbol, generation] = HotBook(image.seq, image.hash, dict(image.bids), dict(image.asks))

    def swap(self, symbol: str, generation: str, old: str) -> bool:
        """Show a generation, if the old one is still shown."""
        if self.current.get(symbol, "") != old or (symbol, generation) not in self.books:
            return False
        self.current[symbol] = generation
        self._on_write(symbol, self.books[symbol, generation])
        return True

    def pointer(self, symbol: str) -> BookPointer | None:
        """Where the shown book stands."""
        book = self.shown(symbol)
        return BookPointer(self.current[symbol], book.seq, book.hash) if book is not None else None

    def positions(self, books: Iterable[tuple[str, str]]) -> list[int | None]:
        """Seq of each book that is still the one shown."""
        return [
            self.books[symbol, name].seq
            if self.current.get(symbol) == name and (symbol, name) in self.books
            else None
            for symbol, name in books
        ]

    def flush(self) -> None:
        """Lose everything."""
        self.current.clear()
        self.books.clear()

    def remember(self) -> Callable[[], None]:
        """What makes the server go back to now: a replica that lagged and was promoted."""
        current, books = dict(self.current), copy.deepcopy(self.books)

        def go_back() -> None:
            self._wires.loop.note("world", "the cache goes back in time")
            self.current, self.books = current, books

        return go_back


class HotBooksPort:
    """A `HotBooks`."""

    def __init__(self, cache: SimulatedHotBooks, wires: Wires, process: Process) -> None:
        self._cache = cache
        self._wires = wires
        self._process = process

    async def apply(self, changes: Sequence[BookChange]) -> list[WriteResult]:
        if not changes:
            return []
        return await self._reach(lambda: self._cache.apply(changes))

    async def replace(self, symbol: str, image: BookImage) -> str | None:
        old = await self._ask(lambda: self._cache.current.get(symbol, ""))
        generation = self._cache.new_generation(image.seq)
        await self._reach(lambda: self._cache.build(symbol, generation, image))
        swapped = await self._reach(lambda: self._cache.swap(symbol, generation, old))
        return generation if swapped else None

    async def current(self, symbol: str) -> BookPointer | None:
        return await self._ask(lambda: self._cache.pointer(symbol))

    async def positions(self, books: Iterable[tuple[str, str]]) -> list[int | None]:
        pairs = list(books)
        return await self._ask(lambda: self._cache.positions(pairs)) if pairs else []

    async def _ask(self, question: Callable[[], T]) -> T:
        return await ask(self._wires, self._process, question, error=CacheConnectionError)

    async def _reach(self, effect: Callable[[], T]) -> T:
        return await reach(
            self._wires, self._process, effect, error=CacheConnectionError, deadline_s=_DEADLINE_S
        )
