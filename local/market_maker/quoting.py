"""The market maker's arithmetic: a seeded walk of asset values, and the ladder of quotes around it.

Pure and whole-numbered: the same seed and start values give the same steps for ever. Units as in
`exchange.contracts.commands`; a value is USDT atoms for one whole unit of an asset.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from exchange.contracts.codes import BUY, SELL

__all__ = [
    "DECIMALS",
    "LEVELS",
    "NUMERAIRE",
    "REFERENCE_VALUES",
    "UNIT",
    "MarketRules",
    "Step",
    "Take",
    "ValueWalk",
    "furthest",
    "ladder_offset_ticks",
    "mid_ticks",
    "quantity_lots",
    "quote_price_ticks",
    "value_from_price",
]

DECIMALS: Final = 8
UNIT: Final = 10**DECIMALS
LEVELS: Final = 10
# Where an exchange without trades begins; the walk also leans back to these.
REFERENCE_VALUES: Final[Mapping[str, int]] = {"BTC": 65_000 * UNIT, "ETH": 3_500 * UNIT, "USDT": UNIT}
NUMERAIRE: Final = "USDT"

_PPM: Final = 1_000_000
_STEP_PPM_MAX: Final = 120
_REVERSION_DIVISOR: Final = 2_000
_HALF_SPREAD_PPM: Final = 100
_LEVEL_GAP_PPM: Final = 150
_TAKE_CHANCE_PERCENT: Final = 40
# A first order shall not empty the book: the ladder of one side is worth some hundred thousand USDT.
_QUOTE_VALUE_RANGE: Final = (5_000, 30_000)
_TAKE_VALUE_RANGE: Final = (20, 4_000)


@dataclass(frozen=True)
class MarketRules:
    """What the exchange says about a market, in whole numbers."""

    symbol: str
    base: str
    quote: str
    tick_atoms: int
    lot_atoms: int
    notional_atoms_min: int


class Take(NamedTuple):
    """One market order: `value` is its size in whole USDT."""

    market: int
    side: int
    value: int


class Step(NamedTuple):
    """One moment of the walk: the values, the size of the next new quote in whole USDT, perhaps a take."""

    values: Mapping[str, int]
    quote_value: int
    take: Take | None


class ValueWalk:
    """The seeded random walk. `start` overrides the reference values, asset by asset."""

    def __init__(self, seed: int, start: Mapping[str, int], markets: int) -> None:
        self._random = random.Random(seed)
        self._values = {**REFERENCE_VALUES, **start, NUMERAIRE: UNIT}
        self._markets = markets

    def advance(self) -> Step:
        """Draw the next step. Always the same number of draws, so that no answer of the API can shift it."""
        moves = {}
        for asset in sorted(self._values):
            moves[asset] = self._random.randint(-_STEP_PPM_MAX, _STEP_PPM_MAX)
        quote_value = self._random.randint(*_QUOTE_VALUE_RANGE)
        takes = self._random.randrange(100) < _TAKE_CHANCE_PERCENT
        market = self._random.randrange(self._markets)
        side = BUY if self._random.randrange(2) else SELL
        take_value = self._random.randint(*_TAKE_VALUE_RANGE)
        for asset, move_ppm in moves.items():
            if asset != NUMERAIRE:
                self._values[asset] = _moved(self._values[asset], move_ppm, REFERENCE_VALUES.get(asset))
        take = Take(market, side, take_value) if takes else None
        return Step(dict(self._values), quote_value, take)


def _moved(value: int, move_ppm: int, reference: int | None) -> int:
    lean = 0 if reference is None else (reference - value) // _REVERSION_DIVISOR
    return max(1, value + value * move_ppm // _PPM + lean)


def mid_ticks(rules: MarketRules, values: Mapping[str, int]) -> int:
    """The price between bid and ask. Every market's follows from the same values, so crosses agree."""
    price_atoms = values[rules.base] * UNIT // values[rules.quote]
    return price_atoms // rules.tick_atoms


def value_from_price(price_atoms: int, quote_value: int) -> int:
    """The value of an asset that trades at `price_atoms` of a quote asset worth `quote_value`."""
    return price_atoms * quote_value // UNIT


def ladder_offset_ticks(middle_ticks: int, level: int) -> int:
    """Distance of a level from the middle: grows strictly with the level, at least a tick each."""
    offset_ppm = _HALF_SPREAD_PPM + level * _LEVEL_GAP_PPM
    return max(level + 1, middle_ticks * offset_ppm // _PPM)


def quote_price_ticks(middle_ticks: int, side: int, level: int) -> int:
    """The price of a level; below one tick for bids in a market that is worth almost nothing."""
    offset_ticks = ladder_offset_ticks(middle_ticks, level)
    return middle_ticks - offset_ticks if side == BUY else middle_ticks + offset_ticks


def quantity_lots(rules: MarketRules, values: Mapping[str, int], value: int, price_ticks: int) -> int:
    """Lots worth about `value` whole USDT, and never less than the market's smallest notional."""
    wanted = value * UNIT * UNIT // values[rules.base] // rules.lot_atoms
    per_lot_atoms = price_ticks * rules.tick_atoms * rules.lot_atoms
    smallest = -(-rules.notional_atoms_min * UNIT // per_lot_atoms)
    # A little more than the smallest: a market order is judged at a price that may have moved.
    return max(wanted, smallest + smallest // 10 + 1)


def furthest(deviations_ppm: Sequence[int]) -> int | None:
    """The index of the largest deviation; None when there is none above zero."""
    if not deviations_ppm:
        return None
    index = max(range(len(deviations_ppm)), key=lambda i: (deviations_ppm[i], -i))
    return index if deviations_ppm[index] > 0 else None
