"""The market maker's ladders are ordered, its crosses agree, and its steps follow from the seed."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.contracts.codes import BUY, SELL
from local.market_maker.quoting import (
    LEVELS,
    REFERENCE_VALUES,
    UNIT,
    MarketRules,
    ValueWalk,
    furthest,
    mid_ticks,
    quantity_lots,
    quote_price_ticks,
)

BTCUSDT = MarketRules("BTCUSDT", "BTC", "USDT", 1_000_000, 1_000, 5 * UNIT)
ETHUSDT = MarketRules("ETHUSDT", "ETH", "USDT", 1_000_000, 10_000, 5 * UNIT)
ETHBTC = MarketRules("ETHBTC", "ETH", "BTC", 1_000, 100_000, 10_000)


@given(st.integers(min_value=1, max_value=10**12))
def test_levels_are_strictly_ordered_and_never_cross(middle_ticks: int) -> None:
    bids = [quote_price_ticks(middle_ticks, BUY, level) for level in range(LEVELS)]
    asks = [quote_price_ticks(middle_ticks, SELL, level) for level in range(LEVELS)]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] < middle_ticks < asks[0]


def test_same_seed_gives_the_same_steps() -> None:
    first, second = ValueWalk(7, {}, 3), ValueWalk(7, {}, 3)
    assert [first.advance() for _ in range(500)] == [second.advance() for _ in range(500)]
    assert ValueWalk(8, {}, 3).advance() != ValueWalk(7, {}, 3).advance()


def test_cross_price_agrees_with_both_legs() -> None:
    walk = ValueWalk(1, {}, 3)
    for _ in range(500):
        values = walk.advance().values
        cross_atoms = mid_ticks(ETHBTC, values) * ETHBTC.tick_atoms
        implied_atoms = values["ETH"] * UNIT // values["BTC"]
        assert 0 <= implied_atoms - cross_atoms < ETHBTC.tick_atoms


def test_walk_stays_near_its_reference() -> None:
    walk = ValueWalk(3, {}, 3)
    for _ in range(100_000):
        values = walk.advance().values
        for asset, reference in REFERENCE_VALUES.items():
            assert reference * 8 // 10 < values[asset] < reference * 12 // 10


def test_walk_starts_where_the_market_is() -> None:
    start = 70_000 * UNIT
    moved = ValueWalk(3, {"BTC": start}, 3).advance().values["BTC"]
    assert abs(moved - start) < start // 1_000


@given(st.integers(min_value=1, max_value=5_000), st.sampled_from([BTCUSDT, ETHUSDT, ETHBTC]))
def test_quantities_are_worth_more_than_the_smallest_notional(value: int, rules: MarketRules) -> None:
    price_ticks = mid_ticks(rules, REFERENCE_VALUES)
    lots = quantity_lots(rules, REFERENCE_VALUES, value, price_ticks)
    notional_atoms = lots * rules.lot_atoms * price_ticks * rules.tick_atoms // UNIT
    assert notional_atoms >= rules.notional_atoms_min


def test_furthest_is_the_first_of_the_largest() -> None:
    assert furthest([]) is None
    assert furthest([0, 0]) is None
    assert furthest([1, 5, 5, 2]) == 1
