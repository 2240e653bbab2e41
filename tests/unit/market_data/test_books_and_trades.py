"""Books, trades and aggregate trades made from events."""

import random
from typing import SupportsIndex

import pytest

from exchange.contracts.codes import BUY, GTC, LIMIT, SELL, STP_NONE
from exchange.contracts.events import OrderAccepted, TimeKept, TradeExecuted
from exchange.trading.trades import Ring, Trade, aggregate
from services.market_data.markets.book import Book, BookError, BookSide
from services.market_data.markets.state import MarketState
from tests.conformance import covers
from tests.event_streams import EngineStream, RandomTrading
from tests.unit.market_data.services import OfflineService


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_books_equal_the_engines_after_every_command(seed: int) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    state = MarketState()
    done = 0
    for _ in range(1_500):
        trading.run(1)
        for outcome in trading.stream.outcomes[done:]:
            state.apply(outcome)
        done = len(trading.stream.outcomes)
        for market_id, market in trading.stream.engine.markets.items():
            book = state.views[market_id].book
            assert book.bids.top(1_000) == market.book.depth(BUY, 1_000)
            assert book.asks.top(1_000) == market.book.depth(SELL, 1_000)
            best = book.bids.best(), book.asks.best()
            assert best == (next(iter(book.bids.top(1)), None), next(iter(book.asks.top(1)), None))
    assert state.seq == trading.stream.seq


def test_a_level_below_zero_stops_the_process_and_changes_nothing() -> None:
    book = Book()
    book.change(BUY, 100, 5)
    with pytest.raises(BookError):
        book.change(BUY, 100, -6)
    assert book.bids.top(10) == [(100, 5)]


class CountingList(list[int]):
    """Counts how many of its items had to move."""

    moves = 0

    def insert(self, index: SupportsIndex, item: int) -> None:
        self.moves += len(self) - int(index)
        super().insert(index, item)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        assert not isinstance(index, slice)
        self.moves += len(self) - 1 - int(index)
        super().__delitem__(index)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_happens_at_the_best_price_moves_no_other_level(side: int) -> None:
    sign = 1 if side == BUY else -1
    changed = BookSide(side)
    vars(changed)["_keys"] = keys = CountingList()
    # Loaded best first, worst first, or in any order: the same book.
    for depth in range(5_000, 0, -1):
        changed.change(50_000 - sign * depth, 7)
    assert len(changed) == len(keys) == 5_000
    assert keys.moves == 0
    pick = random.Random(9)
    for _ in range(2_000):
        # A new best price comes and goes again, then one of the ten best does.
        changed.change(50_000, 1)
        assert changed.best() == (50_000, 1)
        changed.change(50_000, -1)
        price_ticks = 50_000 - sign * pick.randint(1, 10)
        changed.change(price_ticks, -7)
        changed.change(price_ticks, 7)
    assert keys.moves <= 2_000 * 2 * 10
    assert changed.top(3) == [(50_000 - sign * depth, 7) for depth in (1, 2, 3)]


def trade(number: int, time_ms: int = 0, price: int = 10, lots: int = 1, taker: int = 7) -> Trade:
    return Trade(number, time_ms, price, lots, price * lots, False, taker)


@covers("GET /aggTrades", "<symbol>@aggTrade")
def test_trades_of_one_taker_price_and_time_are_one_aggregate_trade() -> None:
    trades = [
        trade(1, lots=2),
        trade(2, lots=3),
        trade(3, price=11),
        trade(4, taker=8, price=11),
        trade(5, taker=8, price=11, time_ms=1),
    ]
    ranges = [(1, 2, 5), (3, 3, 1), (4, 4, 1), (5, 5, 1)]
    for next_id, ids in ((None, [1, 3, 4, 5]), (70, [70, 71, 72, 73])):
        joined = aggregate(trades, next_id)
        assert [(one.first_id, one.last_id, one.quantity_lots) for one in joined] == ranges
        assert [one.id for one in joined] == ids
    stored = [one._replace(aggregate_id=9 if one.id < 3 else 10) for one in trades[:3]]
    assert [one.id for one in aggregate(stored)] == [9, 10]


def test_aggregate_trades_of_a_stream_cover_every_trade_once() -> None:
    trading = RandomTrading(4)
    trading.run(3_000)
    state = MarketState()
    for outcome in trading.stream.outcomes:
        state.apply(outcome)
    for view in state.views.values():
        items = view.aggregates.items
        assert [one.id for one in items] == list(range(1, len(items) + 1)), "no id is left out"
        ids = [number for one in items for number in range(one.first_id, one.last_id + 1)]
        assert ids == [one.id for one in view.trades.items]
        assert ids == list(range(1, len(ids) + 1))
        assert list(items) == aggregate(view.trades.items, 1)


def test_a_ring_stays_bounded_and_knows_what_it_lost() -> None:
    pick = random.Random(3)
    ring: Ring[Trade] = Ring(100)
    everything: list[Trade] = []
    time_ms = 0
    for number in range(1, 1_000):
        time_ms += pick.randint(0, 3)
        everything.append(trade(number, time_ms))
        ring.add(everything[-1])
        assert len(ring.items) <= 125
        assert ring.floor_id == ring.items[0].id
    kept = [one for one in everything if one.id >= ring.floor_id]
    assert ring.items == kept
    assert list(ring.newest(10)) == kept[-10:]
    assert list(ring.from_id(kept[5].id, 7)) == kept[5:12]
    start, end = kept[20].time_ms, kept[40].time_ms
    inside = [one for one in kept if start <= one.time_ms <= end]
    assert list(ring.between(start, end, 1_000)) == inside
    assert list(ring.between(start, end, 3)) == inside[:3]
    assert list(ring.until(end, 4)) == [one for one in kept if one.time_ms <= end][-4:]
    assert ring.holds_time(kept[-1].time_ms)
    assert not ring.holds_time(0)


def test_trades_of_two_markets_in_one_outcome_are_each_markets_own() -> None:
    """What a leader's word sends to work may trade in several markets (ADR 0037)."""
    stream, offline = EngineStream(), OfflineService()
    orders = [
        OrderAccepted(number, 1001, market, f"o{number}", SELL, LIMIT, GTC, 100, 5, 0, STP_NONE, 5, 5)
        for number, market in ((1, 1), (2, 2))
    ]
    trades = [
        TradeExecuted(market, 1, BUY, 100, lots, 1, 1, 10 + market, 1002, 0, 0, market, 1001, 0)
        for market, lots in ((1, 2), (2, 3))
    ]
    stream.append(*orders)
    stream.append(TimeKept(1), *trades)
    offline.apply(stream.outcomes)
    for market, lots in ((1, 2), (2, 3)):
        view = offline.state.views[market]
        assert [trade.quantity_lots for trade in view.trades.items] == [lots]
        assert [(one.id, one.quantity_lots) for one in view.aggregates.items] == [(1, lots)]
        assert offline.publisher._of(view).traded
