"""The hot book in Valkey or Redis: its keys, the writer's scripts, the reader (design decision 9).

Of each market, all under one hash tag so that a cluster keeps them together:

    book:{SYMBOL}:current           name of the generation that readers look at
    book:{SYMBOL}:<gen>:meta        hash: seq, hash (hex of the chain hash), time_ms
    book:{SYMBOL}:<gen>:bids        hash: price_ticks -> lots
    book:{SYMBOL}:<gen>:bid_prices  sorted set of the same price_ticks, for the best ones
    book:{SYMBOL}:<gen>:asks, :ask_prices   likewise

A change is applied to the generation it was computed for, or not at all. Lots are absolute, never
differences, so a command that the client repeats after a lost connection does no harm.
Seqs and prices stay below 2**53, where Lua and sorted sets are exact.
"""

import secrets
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Any, Final, NamedTuple, Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

__all__ = [
    "APPLIED",
    "MISSING",
    "OLDER",
    "BookCache",
    "BookChange",
    "BookImage",
    "BookPointer",
    "HotBooks",
    "WriteResult",
]

APPLIED: Final = "applied"
OLDER: Final = "older"
MISSING: Final = "missing"

_BUILD_EXPIRY_S: Final = 300
_RETIRED_EXPIRY_S: Final = 60
_LEVELS_PER_COMMAND_MAX: Final = 1_000
_READ_ATTEMPTS: Final = 3
_KEYS_PER_SCAN: Final = 500
_PARTS: Final = ("meta", "bids", "bid_prices", "asks", "ask_prices")

# KEYS: current, then _PARTS of one generation.
# ARGV: generation, expected seq, expected hash, new seq, new hash, time_ms, count of bid fields,
# bid price, lots, ..., ask price, lots, ... Returns {verdict, seq, hash} of what is there.
_APPLY: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'missing', '0', ''} end
local meta = redis.call('HMGET', KEYS[2], 'seq', 'hash')
if not meta[1] then return {'missing', '0', ''} end
if tonumber(meta[1]) >= tonumber(ARGV[4]) then return {'older', meta[1], meta[2]} end
if meta[1] ~= ARGV[2] or meta[2] ~= ARGV[3] then return {'missing', meta[1], meta[2]} end
local function change(lots_key, prices_key, first, last)
  for i = first, last, 2 do
    local price, lots = ARGV[i], ARGV[i + 1]
    if lots == '0' then
      redis.call('HDEL', lots_key, price)
      redis.call('ZREM', prices_key, price)
    elseif redis.call('HSET', lots_key, price, lots) == 1 then
      redis.call('ZADD', prices_key, price, price)
    end
  end
end
local bids_end = 7 + tonumber(ARGV[7])
change(KEYS[3], KEYS[4], 8, bids_end)
change(KEYS[5], KEYS[6], bids_end + 1, #ARGV)
redis.call('HSET', KEYS[2], 'seq', ARGV[4], 'hash', ARGV[5], 'time_ms', ARGV[6])
return {'applied', ARGV[4], ARGV[5]}
"""
_APPLY_SHA: Final = sha1(_APPLY.encode(), usedforsecurity=False).hexdigest()

# KEYS: current, _PARTS of the new generation, _PARTS of the old one (if any).
# ARGV: new generation, old generation ('' for none), seconds until the old one is forgotten.
# The pointer moves only if it still names the old one: two rebuilders cannot undo each other.
_SWAP: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
for i = 2, 6 do redis.call('PERSIST', KEYS[i]) end
redis.call('SET', KEYS[1], ARGV[1])
for i = 7, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return 1
"""

# KEYS: _PARTS of one generation. ARGV: levels wanted of each side.
# Returns {seq, hash, time_ms, bid prices, bid lots, ask prices, ask lots}, or nothing.
_READ: Final = """
local meta = redis.call('HMGET', KEYS[1], 'seq', 'hash', 'time_ms')
if not meta[1] then return false end
local function side(prices_key, lots_key, command)
  local prices = redis.call(command, prices_key, 0, tonumber(ARGV[1]) - 1)
  local lots = {}
  for first = 1, #prices, 1000 do
    local last = math.min(first + 999, #prices)
    for _, value in ipairs(redis.call('HMGET', lots_key, unpack(prices, first, last))) do
      lots[#lots + 1] = value
    end
  end
  return prices, lots
end
local bids, bid_lots = side(KEYS[3], KEYS[2], 'ZREVRANGE')
local asks, ask_lots = side(KEYS[5], KEYS[4], 'ZRANGE')
return {meta[1], meta[2], meta[3], bids, bid_lots, asks, ask_lots}
"""


class BookImage(NamedTuple):
    """A whole book at `seq`: levels as (price_ticks, lots), best first; `hash` is the chain hash."""

    seq: int
    hash: bytes
    time_ms: int
    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class BookChange(NamedTuple):
    """From `expected` to `seq`: the new absolute lots of every level touched between, 0 to drop it."""

    symbol: str
    generation: str
    expected_seq: int
    expected_hash: bytes
    seq: int
    hash: bytes
    time_ms: int
    bids: Mapping[int, int]
    asks: Mapping[int, int]


class BookPointer(NamedTuple):
    """The current generation of a market's book and where it stands."""

    generation: str
    seq: int
    hash: bytes


class WriteResult(NamedTuple):
    """`verdict` is APPLIED, OLDER (the cache is at `seq` or beyond) or MISSING (rebuild)."""

    verdict: str
    seq: int
    hash: bytes


class HotBooks(Protocol):
    """What the book projection needs of a cache. Every call raises process.connections.CACHE_ERRORS.

    A port: the simulation (tests/simulation) puts a cache of its own behind it, which forgets.
    """

    async def apply(self, changes: Sequence[BookChange]) -> list[WriteResult]:
        """Apply each change that fits the generation it was made for; one result for each."""
        ...

    async def replace(self, symbol: str, image: BookImage) -> str | None:
        """Show a whole new book to readers. Returns the generation's name, None if outrun."""
        ...

    async def current(self, symbol: str) -> BookPointer | None:
        """Which generation readers see, and where it stands; None when there is no book."""
        ...

    async def positions(self, books: Iterable[tuple[str, str]]) -> list[int | None]:
        """For each (symbol, generation): its seq, None when it is gone or no longer the current one."""
        ...


class BookCache:
    """Reads and writes books. Every call raises the client's errors (process.connections.CACHE_ERRORS)."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def apply(self, changes: Sequence[BookChange]) -> list[WriteResult]:
        """Apply each change that fits, all in one round trip; one result for each."""
        if not changes:
            return []
        try:
            replies = await self._apply_with("EVALSHA", _APPLY_SHA, changes)
        except NoScriptError:
            # The server was restarted. Had another client just brought the script back, a part of
            # the batch is applied, and answers OLDER with the seq and hash it was to have.
            replies = await self._apply_with("EVAL", _APPLY, changes)
        return [WriteResult(r[0].decode(), int(r[1]), bytes.fromhex(r[2].decode())) for r in replies]

    async def replace(self, symbol: str, image: BookImage) -> str | None:
        """Write a new generation aside, then swap the pointer. Returns its name, None if outrun."""
        pointer = _current_key(symbol)
        old_name = _name(await self._client.get(pointer))
        generation = f"{image.seq}-{secrets.token_hex(4)}"
        keys = _part_keys(symbol, generation)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(keys[0], items=["seq", image.seq, "hash", image.hash.hex(), "time_ms", image.time_ms])
            _queue_levels(pipe, keys[1], keys[2], image.bids)
            _queue_levels(pipe, keys[3], keys[4], image.asks)
            for key in keys:
                pipe.expire(key, _BUILD_EXPIRY_S)
            await pipe.execute()
        all_keys = [pointer, *keys, *(_part_keys(symbol, old_name) if old_name else ())]
        swapped = await self._client.eval(
            _SWAP, len(all_keys), *all_keys, generation, old_name, str(_RETIRED_EXPIRY_S)
        )
        return generation if swapped else None

    async def clear(self) -> None:
        """Forget every book of every market; nothing else in the cache."""
        found = [key async for key in self._client.scan_iter(match="book:*", count=_KEYS_PER_SCAN)]
        for first in range(0, len(found), _KEYS_PER_SCAN):
            await self._client.unlink(*found[first : first + _KEYS_PER_SCAN])

    async def current(self, symbol: str) -> BookPointer | None:
        """Which generation readers see, and where it stands; None when there is no book."""
        generation = _name(await self._client.get(_current_key(symbol)))
        if not generation:
            return None
        seq, digest = await cast(
            "Awaitable[list[bytes | None]]",
            self._client.hmget(_part_keys(symbol, generation)[0], ["seq", "hash"]),
        )
        if seq is None or digest is None:
            return None
        return BookPointer(generation, int(seq), bytes.fromhex(digest.decode()))

    async def positions(self, books: Iterable[tuple[str, str]]) -> list[int | None]:
        """For each (symbol, generation): its seq, None when it is gone or no longer the current one."""
        pairs = list(books)
        if not pairs:
            return []
        async with self._client.pipeline(transaction=False) as pipe:
            for symbol, generation in pairs:
                pipe.get(_current_key(symbol))
                pipe.hget(_part_keys(symbol, generation)[0], "seq")
            replies = await pipe.execute()
        found: list[int | None] = []
        for place, (_, generation) in enumerate(pairs):
            current, seq = replies[2 * place : 2 * place + 2]
            found.append(int(seq) if seq is not None and current == generation.encode() else None)
        return found

    async def read(self, symbol: str, levels_max: int) -> BookImage | None:
        """The best levels of both sides as they stood together; None when there is no book."""
        for _ in range(_READ_ATTEMPTS):
            generation = _name(await self._client.get(_current_key(symbol)))
            if not generation:
                return None
            image = await self._read_generation(symbol, generation, levels_max)
            if image is not None:
                return image
        return None

    async def _read_generation(self, symbol: str, generation: str, levels_max: int) -> BookImage | None:
        keys = _part_keys(symbol, generation)
        reply = await self._client.eval(_READ, len(keys), *keys, str(levels_max))
        if reply is None:
            return None
        seq, digest, time_ms, bids, bid_lots, asks, ask_lots = reply
        return BookImage(
            int(seq),
            bytes.fromhex(digest.decode()),
            int(time_ms),
            list(zip(map(int, bids), map(int, bid_lots), strict=True)),
            list(zip(map(int, asks), map(int, ask_lots), strict=True)),
        )

    async def _apply_with(self, command: str, script: str, changes: Sequence[BookChange]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipe:
            for change in changes:
                keys = [_current_key(change.symbol), *_part_keys(change.symbol, change.generation)]
                pipe.execute_command(command, script, len(keys), *keys, *_arguments(change))
            return list(await pipe.execute())


def _arguments(change: BookChange) -> list[str | int]:
    arguments: list[str | int] = [
        change.generation,
        change.expected_seq,
        change.expected_hash.hex(),
        change.seq,
        change.hash.hex(),
        change.time_ms,
        2 * len(change.bids),
    ]
    for levels in (change.bids, change.asks):
        for price_ticks, lots in levels.items():
            arguments += (price_ticks, lots)
    return arguments


def _name(reply: bytes | str | None) -> str:
    return reply.decode() if isinstance(reply, bytes) else reply or ""


def _current_key(symbol: str) -> str:
    return f"book:{{{symbol}}}:current"


def _part_keys(symbol: str, generation: str) -> list[str]:
    return [f"book:{{{symbol}}}:{generation}:{part}" for part in _PARTS]


def _queue_levels(pipe: Any, lots_key: str, prices_key: str, levels: Sequence[tuple[int, int]]) -> None:
    for first in range(0, len(levels), _LEVELS_PER_COMMAND_MAX):
        chunk = levels[first : first + _LEVELS_PER_COMMAND_MAX]
        pipe.hset(lots_key, mapping=dict(chunk))
        pipe.zadd(prices_key, {str(price): price for price, _ in chunk})
