"""What seeded makers did before a fresh exchange began, as commands with their times. Pure.

The same seed and the same end give the same past. It ends at the reference values from which the market
maker goes on (local/market_maker). Units as in exchange.contracts.commands.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isqrt
from typing import Final, NamedTuple

from exchange.contracts import codes
from exchange.contracts.commands import (
    Command,
    CreditDeposit,
    KeepTime,
    LeaderElected,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
)
from local.market_maker.quoting import NUMERAIRE, REFERENCE_VALUES, UNIT

__all__ = ["MARKETS_MAX", "Moment", "past"]

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
# How far back, and how often something was traded until then, the newest first: 200 candles and more of each
# usual interval, and few trades.
_STRETCHES: Final = (
    (4 * _HOUR_MS, _MINUTE_MS),
    (18 * _HOUR_MS, 5 * _MINUTE_MS),
    (3 * _DAY_MS, 15 * _MINUTE_MS),
    (9 * _DAY_MS, _HOUR_MS),
    (36 * _DAY_MS, 4 * _HOUR_MS),
    (210 * _DAY_MS, _DAY_MS),
)
# Markets with a past, in the order of their file.
MARKETS_MAX: Final = 10
_TRADES_PER_MOMENT: Final = 2
_DAILY_MOVE_PPM: Final = 12_000
_TRADE_VALUE_RANGE: Final = (50, 5_000)
_PPM: Final = 1_000_000
# Who they are: numbers below the first that a person gets (services/migrations/0002_users.sql).
_BUYER, _SELLER, _KEEPER = 1, 2, 3
_LEADER: Final = "the-past"
_FUNDS: Final[Mapping[str, int]] = {"BTC": 50_000, "ETH": 1_000_000, "USDT": 10_000_000_000}
# The book that they leave: levels on each side, from this far to that far off the last price.
_DEPTH_LEVELS: Final = 60
_DEPTH_PPM: Final = (8_000, 200_000)
_DEPTH_VALUE: Final = 20_000


class Moment(NamedTuple):
    """One record of the command log."""

    time_ms: int
    commands: list[Command]


class _Market(NamedTuple):
    """A market with a past; the fields are RegisterMarket's."""

    rules: RegisterMarket
    base: str
    quote: str
    base_unit_atoms: int
    quote_unit_atoms: int


def past(genesis: Sequence[Command], end_ms: int, seed: int) -> Iterator[Moment]:
    """All of it, oldest first, `genesis` at its head; the last moment is `end_ms`.

    Nothing but genesis when none of its markets trades assets whose value is known.
    """
    rng = random.Random(seed)
    times = _times(end_ms)
    markets = _markets(genesis)
    yield Moment(times[0], [*genesis, LeaderElected(0, _LEADER, 1), *_funding(genesis)])
    if not markets:
        return
    assets = sorted({market.base for market in markets} | {market.quote for market in markets})
    still = [_PPM] * len(times)
    paths = {asset: still if asset == NUMERAIRE else _path(rng, times) for asset in assets}
    for index, time_ms in enumerate(times):
        commands: list[Command] = [KeepTime(0, 1, time_ms)]
        for market in markets:
            ratio = REFERENCE_VALUES[market.base] * paths[market.base][index] * UNIT
            price_atoms = ratio // (REFERENCE_VALUES[market.quote] * paths[market.quote][index])
            ticks = max(1, price_atoms * market.quote_unit_atoms // UNIT // market.rules.tick_atoms)
            for _ in range(_TRADES_PER_MOMENT):
                commands += _trade(rng, market, ticks + ticks * rng.randint(-150, 150) // _PPM)
        yield Moment(time_ms, commands)
    depth = [order for market in markets for order in _depth(rng, market)]
    yield Moment(end_ms, [KeepTime(0, 1, end_ms), *depth])


def _times(end_ms: int) -> list[int]:
    times: list[int] = []
    at_ms = end_ms
    for reach_ms, step_ms in _STRETCHES:
        while at_ms > end_ms - reach_ms:
            times.append(at_ms)
            at_ms -= step_ms
    return times[::-1]


def _path(rng: random.Random, times: Sequence[int]) -> list[int]:
    """Millionths of the reference value, moment by moment; ends at a whole one."""
    moved, walk = 0, [0]
    for before, now in pairwise(times):
        most = _DAILY_MOVE_PPM * isqrt(now - before) * 17 // (isqrt(_DAY_MS) * 10)
        moved += rng.randint(-most, most)
        walk.append(moved)
    return [max(_PPM // 4, _PPM + at - moved) for at in walk]


def _markets(genesis: Sequence[Command]) -> list[_Market]:
    assets = {c.asset_id: c for c in genesis if isinstance(c, RegisterAsset)}
    found = []
    for rules in genesis:
        if isinstance(rules, RegisterMarket):
            base, quote = assets[rules.base_asset_id], assets[rules.quote_asset_id]
            if base.code in REFERENCE_VALUES and quote.code in REFERENCE_VALUES:
                units = 10**base.decimals, 10**quote.decimals
                found.append(_Market(rules, base.code, quote.code, *units))
    return found[:MARKETS_MAX]


def _funding(genesis: Sequence[Command]) -> Iterator[Command]:
    number = 0
    for asset in genesis:
        if isinstance(asset, RegisterAsset) and asset.code in _FUNDS:
            for user_id in (_BUYER, _SELLER, _KEEPER):
                number += 1
                atoms = _FUNDS[asset.code] * 10**asset.decimals
                yield CreditDeposit(0, user_id, asset.asset_id, atoms, number)


def _trade(rng: random.Random, market: _Market, ticks: int) -> list[Command]:
    """One waits, the other takes it whole."""
    maker, taker = (_BUYER, _SELLER) if rng.randrange(2) else (_SELLER, _BUYER)
    side, other = (codes.BUY, codes.SELL) if maker == _BUYER else (codes.SELL, codes.BUY)
    lots = _lots(market, ticks, rng.randint(*_TRADE_VALUE_RANGE))
    return [
        _order(market, maker, side, ticks, lots, codes.GTC, "past-maker"),
        _order(market, taker, other, ticks, lots, codes.IOC, "past-taker"),
    ]


def _depth(rng: random.Random, market: _Market) -> Iterator[Command]:
    """What keeps a large order from emptying the book: it grows with the distance."""
    price_atoms = REFERENCE_VALUES[market.base] * UNIT // REFERENCE_VALUES[market.quote]
    middle = price_atoms * market.quote_unit_atoms // UNIT // market.rules.tick_atoms
    near, far = _DEPTH_PPM
    for level in range(_DEPTH_LEVELS):
        # Denser near the price.
        off = middle * (near + (far - near) * level * level // _DEPTH_LEVELS**2) // _PPM + level
        for side, ticks in ((codes.BUY, middle - off), (codes.SELL, middle + off)):
            name = f"past-{market.rules.symbol}-{codes.SIDE_NAMES[side]}-{level}"
            value = _DEPTH_VALUE * (level + 4) // 4 * rng.randint(70, 130) // 100
            yield _order(
                market, _KEEPER, side, max(1, ticks), _lots(market, max(1, ticks), value), codes.GTC, name
            )


def _lots(market: _Market, ticks: int, value: int) -> int:
    """Lots worth `value` whole USDT, never less than the market's smallest order."""
    rules = market.rules
    wanted = value * UNIT * market.base_unit_atoms // REFERENCE_VALUES[market.base] // rules.lot_atoms
    per_lot = ticks * rules.tick_atoms * rules.lot_atoms
    smallest = -(-rules.notional_atoms_min * market.base_unit_atoms // per_lot)
    return max(wanted, smallest, rules.quantity_lots_min, 1)


def _order(
    market: _Market, user_id: int, side: int, ticks: int, lots: int, tif: int, name: str
) -> PlaceOrder:
    return PlaceOrder(
        0, user_id, market.rules.market_id, name, side, codes.LIMIT, tif, ticks, lots, 0, codes.STP_NONE, 0
    )
