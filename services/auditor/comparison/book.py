"""The hot book in Redis against the derived one, at the same seq (invariant I5).

The layout stands in `services.projections.book.cache`; it is read here by other commands than there. A
book's seq stays where its last change was, so a copy at or behind the audit is compared as long as
nothing has touched the market since; a copy ahead is compared when the audit has moved to its seq.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from redis.asyncio import Redis

from services.auditor.audit.state import Breach, Market
from services.auditor.follower import Follower, NotReachedError

__all__ = ["BookComparison", "BookCopy"]

WAIT_S: Final = 3.0
POLL_S: Final = 0.05
LEVELS_MAX: Final = 100_000
BREACHES_MAX: Final = 20
_READ_ATTEMPTS: Final = 5


class BookCopy(NamedTuple):
    """A book as Redis has it: price_ticks -> lots, and the prices that readers find it by."""

    seq: int
    hash: bytes
    bids: dict[int, int]
    asks: dict[int, int]
    bid_prices: list[int]
    ask_prices: list[int]


class BookComparison:
    """Compares every level of every market."""

    store = "redis"

    def __init__(self, cache: Redis, follower: Follower) -> None:
        self._cache = cache
        self._follower = follower

    async def compare(self) -> Sequence[Breach]:
        """Wait for each copy, move to its seq, compare. Raises NotReachedError, CACHE_ERRORS, LogError."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        for market in list(self._follower.state.markets.values()):
            copy = await self._copy_of(market, deadline)
            if copy.seq > self._follower.state.seq:
                who = f"the book of {market.symbol}"
                breaches = await self._follower.advance_to(copy.seq, copy.hash, WAIT_S, who)
                if breaches:
                    return breaches
            found = self._differences(market, copy)
            if found:
                return found
        return ()

    async def _copy_of(self, market: Market, deadline: float) -> BookCopy:
        """The copy, once it holds the last change that the audit knows of."""
        while True:
            copy = await self._read(market.symbol)
            if copy is not None and copy.seq >= market.touched_seq:
                return copy
            if asyncio.get_running_loop().time() > deadline:
                what = "missing" if copy is None else f"at seq {copy.seq}"
                raise NotReachedError(f"the book of {market.symbol} is {what}, not at {market.touched_seq}")
            await asyncio.sleep(POLL_S)

    async def _read(self, symbol: str) -> BookCopy | None:
        """All of one generation as it stood at one moment; None when there is no book."""
        for _ in range(_READ_ATTEMPTS):
            pointer = f"book:{{{symbol}}}:current"
            generation = cast("bytes | None", await self._cache.get(pointer))
            if generation is None:
                return None
            prefix = f"book:{{{symbol}}}:{generation.decode()}"
            for side in ("bids", "asks"):
                levels = await self._cache.hlen(f"{prefix}:{side}")
                if levels > LEVELS_MAX:
                    raise NotReachedError(f"the book of {symbol} has {levels} {side}: too many to compare")
            async with self._cache.pipeline(transaction=True) as pipe:
                pipe.get(pointer)
                pipe.hmget(f"{prefix}:meta", ["seq", "hash"])
                pipe.hgetall(f"{prefix}:bids")
                pipe.hgetall(f"{prefix}:asks")
                pipe.zrange(f"{prefix}:bid_prices", 0, -1)
                pipe.zrange(f"{prefix}:ask_prices", 0, -1)
                current, (seq, digest), bids, asks, bid_prices, ask_prices = await pipe.execute()
            if current == generation and seq is not None and digest is not None:
                return BookCopy(
                    int(seq),
                    bytes.fromhex(digest.decode()),
                    {int(price): int(lots) for price, lots in bids.items()},
                    {int(price): int(lots) for price, lots in asks.items()},
                    [int(price) for price in bid_prices],
                    [int(price) for price in ask_prices],
                )
        return None

    def _differences(self, market: Market, copy: BookCopy) -> list[Breach]:
        seq = self._follower.state.seq
        found = []
        for name, stored, prices, derived in (
            ("bid", copy.bids, copy.bid_prices, market.bids.levels),
            ("ask", copy.asks, copy.ask_prices, market.asks.levels),
        ):
            for price in sorted(stored.keys() | derived.keys()):
                if stored.get(price) != derived.get(price):
                    detail = f"{market.symbol} {name} {price}: the book of seq {copy.seq} has "
                    detail += f"{stored.get(price)} lots, the events give {derived.get(price)}"
                    found.append(Breach(seq, "I5", detail))
            if sorted(derived) != prices:
                found.append(Breach(seq, "I5", f"{market.symbol}: the sorted {name} prices are others"))
        return found[:BREACHES_MAX]
