"""Promises of the hot book on a real Valkey (invariant I5)."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from redis.exceptions import ConnectionError

from exchange.contracts import codes
from exchange.process.components import Resources
from matching_engine.core.engine import Engine
from services.projections.book.cache import (
    APPLIED,
    MISSING,
    OLDER,
    BookCache,
    BookChange,
    BookImage,
    WriteResult,
)
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.rebuild import clear_projection, fingerprints
from tests.at_work import eventually
from tests.event_streams import RandomTrading
from tests.integration.projections.conftest import Running, publish

pytestmark = pytest.mark.integration

SYMBOLS = {1: "BTCUSDT", 2: "ETHUSDT", 3: "ETHBTC"}
LEVELS_MAX = 10_000
H1, H2, H3 = bytes([1] * 16), bytes([2] * 16), bytes([3] * 16)

Levels = list[tuple[int, int]]


def engine_books(engine: Engine) -> dict[str, tuple[Levels, Levels]]:
    found = {}
    for market_id, symbol in SYMBOLS.items():
        sides: list[dict[int, int]] = [{}, {}]
        for levels, side in zip(sides, (codes.BUY, codes.SELL), strict=True):
            for order in engine.markets[market_id].book.orders(side):
                levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.open_lots
        found[symbol] = (sorted(sides[0].items(), reverse=True), sorted(sides[1].items()))
    return found


async def cached_books(cache: BookCache) -> dict[str, tuple[Levels, Levels]]:
    found = {}
    for symbol in SYMBOLS.values():
        image = await cache.read(symbol, LEVELS_MAX)
        if image is not None:
            found[symbol] = (list(image.bids), list(image.asks))
    return found


async def until_cached(resources: Resources, engine: Engine) -> None:
    """Wait until the cache shows the engine's books."""
    cache = BookCache(resources.cache)
    for _ in range(6000):
        if await cached_books(cache) == engine_books(engine):
            return
        await asyncio.sleep(0.01)
    assert await cached_books(cache) == engine_books(engine)


async def until_written(running: Running, ledger: LedgerProjection, trading: RandomTrading) -> None:
    await running.until(lambda: ledger.last_seq == trading.stream.seq)


async def test_cached_books_equal_the_engines_and_are_never_torn(resources: Resources) -> None:
    trading = RandomTrading(101)
    book = BookProjection(resources)
    running = Running([book])
    await running.start()
    cache, reads, newest = BookCache(resources.cache), 0, 0
    for _ in range(60):
        trading.run(25)
        await publish(resources, trading.stream, outcomes_per_record=3)
        for _ in range(10):
            image = await cache.read("BTCUSDT", LEVELS_MAX)
            if image is not None:
                assert image.seq >= newest
                newest, reads = image.seq, reads + 1
                if image.bids and image.asks:
                    assert image.bids[0][0] < image.asks[0][0]
    await running.until(lambda: book.last_seq == trading.stream.seq)
    await until_cached(resources, trading.stream.engine)
    assert reads > 100
    assert not any(running.problems().values())
    await running.stop()


async def test_book_starts_from_the_ledger_and_follows_what_is_beyond_it(resources: Resources) -> None:
    trading = RandomTrading(111)
    trading.run(800)
    await publish(resources, trading.stream)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    await until_written(running, ledger, trading)
    await running.stop()
    trading.run(200)
    await publish(resources, trading.stream)
    running = Running([BookProjection(resources)])
    await running.start()
    await until_cached(resources, trading.stream.engine)
    await running.stop()


async def test_replay_into_empty_stores_gives_the_same_tables_and_books(resources: Resources) -> None:
    trading = RandomTrading(112)
    seen: list[tuple[dict[str, str], dict[str, tuple[Levels, Levels]]]] = []
    for _ in range(2):
        ledger = LedgerProjection(resources)
        running = Running([ledger, BookProjection(resources)])
        await running.start()
        for _ in range(10):
            # The second time everything is on the log already.
            trading.run(0 if seen else 100)
            await publish(resources, trading.stream)
            await asyncio.sleep(0.01)
        await until_written(running, ledger, trading)
        await until_cached(resources, trading.stream.engine)
        await running.stop()
        async with resources.database.acquire() as connection:
            seen.append((await fingerprints(connection), await cached_books(BookCache(resources.cache))))
            await clear_projection(connection)
        await resources.cache.flushdb()
    assert seen[0] == seen[1]
    assert int(seen[0][0]["trades"].split()[0]) > 100


async def test_lost_cache_is_filled_again_without_any_new_event(resources: Resources) -> None:
    trading = RandomTrading(121)
    trading.run(300)
    await publish(resources, trading.stream)
    running = Running([BookProjection(resources)])
    await running.start()
    await until_cached(resources, trading.stream.engine)
    await resources.cache.flushall()
    await until_cached(resources, trading.stream.engine)
    await running.stop()


async def test_book_goes_on_in_memory_while_the_cache_is_away(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading = RandomTrading(131)
    book = BookProjection(resources)
    running = Running([book])
    await running.start()

    async def away(self: BookCache, changes: Sequence[BookChange]) -> list[WriteResult]:
        raise ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(BookCache, "apply", away)
        trading.run(300)
        await publish(resources, trading.stream)
        await running.until(lambda: book.last_seq == trading.stream.seq)
        await running.until(lambda: running.problems()["book_cache"] is not None)
    await until_cached(resources, trading.stream.engine)
    await running.until(lambda: running.problems()["book_cache"] is None)
    await running.stop()


async def test_two_projectors_do_not_spoil_the_book(resources: Resources) -> None:
    trading = RandomTrading(141)
    books = [BookProjection(resources), BookProjection(resources)]
    running = Running(books)
    await running.start()
    for _ in range(20):
        trading.run(30)
        await publish(resources, trading.stream, outcomes_per_record=4)
        await asyncio.sleep(0.01)
    await running.until(lambda: all(book.last_seq == trading.stream.seq for book in books))
    await until_cached(resources, trading.stream.engine)
    await running.stop()


async def test_cache_of_another_history_is_replaced_at_start(resources: Resources) -> None:
    cache = BookCache(resources.cache)
    await cache.replace("BTCUSDT", BookImage(10**9, H1, 0, [(5, 5)], [(6, 6)]))
    trading = RandomTrading(151)
    trading.run(100)
    await publish(resources, trading.stream)
    running = Running([BookProjection(resources)])
    await running.start()
    await until_cached(resources, trading.stream.engine)
    await running.stop()


def change(generation: str, expected: tuple[int, bytes], new: tuple[int, bytes]) -> BookChange:
    return BookChange("BTCUSDT", generation, *expected, *new, 7, {100: 0, 99: 4}, {101: 6})


async def test_change_applies_only_from_the_seq_and_hash_it_was_made_for(resources: Resources) -> None:
    cache = BookCache(resources.cache)
    generation = await cache.replace("BTCUSDT", BookImage(10, H1, 5, [(100, 1), (98, 2)], [(101, 3)]))
    assert generation is not None
    gap, wrong_hash, fits, repeated, elsewhere = await cache.apply(
        [
            change(generation, (11, H1), (12, H2)),
            change(generation, (10, H3), (12, H2)),
            change(generation, (10, H1), (12, H2)),
            change(generation, (10, H1), (12, H2)),
            change("9-other", (12, H2), (13, H3)),
        ]
    )
    assert [gap.verdict, wrong_hash.verdict, fits.verdict] == [MISSING, MISSING, APPLIED]
    assert repeated == WriteResult(OLDER, 12, H2)
    assert elsewhere.verdict == MISSING
    assert await cache.read("BTCUSDT", 10) == BookImage(12, H2, 7, [(99, 4), (98, 2)], [(101, 6)])
    assert await cache.read("BTCUSDT", 1) == BookImage(12, H2, 7, [(99, 4)], [(101, 6)])


async def test_replaced_generation_expires_and_the_new_one_stays(resources: Resources) -> None:
    cache = BookCache(resources.cache)
    old = await cache.replace("BTCUSDT", BookImage(1, H1, 5, [(100, 1)], []))
    new = await cache.replace("BTCUSDT", BookImage(2, H2, 6, [(100, 2)], []))
    assert 0 < await resources.cache.ttl(f"book:{{BTCUSDT}}:{old}:bids") <= 60
    assert await resources.cache.ttl(f"book:{{BTCUSDT}}:{new}:bids") == -1
    assert await cache.read("BTCUSDT", 10) == BookImage(2, H2, 6, [(100, 2)], [])


async def test_speed_is_printed(resources: Resources) -> None:
    trading = RandomTrading(161)
    trading.run(10_000)
    book = BookProjection(resources)
    running = Running([book])
    await running.start()
    started = time.perf_counter()
    await publish(resources, trading.stream, outcomes_per_record=20)
    await eventually(lambda: book.last_seq == trading.stream.seq)
    await until_cached(resources, trading.stream.engine)
    elapsed_s = time.perf_counter() - started
    print(f"\nbook: {len(trading.stream.outcomes) / elapsed_s:,.0f} outcomes/s")
    await running.stop()


async def test_levels_of_a_big_book_survive_a_rebuild(resources: Resources) -> None:
    cache = BookCache(resources.cache)
    bids = [(price, price % 7 + 1) for price in range(9_000, 0, -1)]
    asks = [(price, price % 5 + 1) for price in range(9_001, 18_001)]
    await cache.replace("BTCUSDT", BookImage(1, H1, 5, bids, asks))
    assert await cache.read("BTCUSDT", 20_000) == BookImage(1, H1, 5, bids, asks)
    image = await cache.read("BTCUSDT", 5_000)
    assert image is not None
    assert list(image.bids) == bids[:5_000]


async def test_unknown_market_has_no_book(resources: Resources) -> None:
    assert await BookCache(resources.cache).read("NOPE", 5) is None
