"""The figure that the alarm on unusual prices looks at."""

import pytest

from exchange.trading.trades import Trade
from services.market_data.markets.price_moves import largest_move
from services.market_data.markets.state import MarketState
from tests.event_streams import EngineStream

MINUTE_MS = 60_000
NOW_MS = 1_700_000_000_000


@pytest.fixture
def state() -> MarketState:
    """Two markets, as the genesis registers them."""
    made = MarketState()
    for outcome in EngineStream().outcomes:
        made.apply(outcome)
    assert len(made.views) >= 2
    return made


def trade(state: MarketState, market_id: int, price_ticks: int, time_ms: int) -> None:
    view = state.views[market_id]
    number = view.last_trade.id + 1 if view.last_trade else 1
    view.add_trade(Trade(number, time_ms, price_ticks, 1, 1, False, number))


def test_without_trades_nothing_moves(state: MarketState) -> None:
    assert largest_move(state, NOW_MS) == 0.0


def test_the_market_that_moves_most_is_told_within_two_minutes(state: MarketState) -> None:
    first, second = sorted(state.views)[:2]
    for market_id, prices in ((first, (100, 104, 102)), (second, (1_000, 1_250, 1_100))):
        for place, price in enumerate(prices):
            trade(state, market_id, price, NOW_MS + place)
    assert largest_move(state, NOW_MS + 10) == pytest.approx(0.25)
    assert largest_move(state, NOW_MS + MINUTE_MS) == pytest.approx(0.25)
    assert largest_move(state, NOW_MS + 3 * MINUTE_MS) == 0.0
