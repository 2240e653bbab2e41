"""Whoever follows Binance's rules for a local book has the engine's book, without a missing id."""

import random
from itertools import pairwise

import pytest

from services.market_data.markets.state import MarketState, MarketView
from services.market_data.markets.texts import level_texts
from services.market_data.streams.hub import Hub
from services.market_data.streams.publisher import StreamPublisher
from tests.event_streams import START_MS, RandomTrading
from tests.unit.market_data.clients import HubClient, LocalBook

EVENTS = 10_000
SYMBOL = "BTCUSDT"


def snapshot(state: MarketState, view: MarketView) -> dict[str, object]:
    return {
        "lastUpdateId": state.seq,
        "bids": level_texts(view.market, view.book.bids.top(5_000)),
        "asks": level_texts(view.market, view.book.asks.top(5_000)),
    }


class Follower:
    """Subscribes at a random moment, and asks for the snapshot at a later one."""

    def __init__(self, hub: Hub, name: str, joins_at: int, asks_at: int) -> None:
        self.hub, self.name, self.joins_at, self.asks_at = hub, name, joins_at, asks_at
        self.book = LocalBook()
        self.stream: HubClient | None = None

    def step(self, number: int, state: MarketState, view: MarketView) -> None:
        if number == self.joins_at:
            self.stream = HubClient(self.hub, self.name)
        if self.stream is None:
            return
        for event in self.stream.take():
            self.book.on_event(event)
        # As the documentation has it: the snapshot is asked for once the first event has come.
        if number >= self.asks_at and self.book.last_id is None and self.book.buffer:
            self.book.on_snapshot(snapshot(state, view))


@pytest.mark.parametrize("seed", [11, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (12, 13))])
@pytest.mark.parametrize("speed", ["@depth", "@depth@100ms", "@depth@1000ms"])
def test_a_local_book_kept_by_binances_rules_equals_the_engines_after_ten_thousand_events(
    seed: int, speed: str
) -> None:
    print(f"seed {seed}")
    pick = random.Random(seed)
    trading = RandomTrading(seed)
    hub, state = Hub(), MarketState()
    now_ms = START_MS
    publisher = StreamPublisher(state, hub, lambda: now_ms * 1000)
    done = 0
    while state.seq < 500:
        trading.run(1)
        for outcome in trading.stream.outcomes[done:]:
            publisher.live([state.apply(outcome)])
        done = len(trading.stream.outcomes)
    view = state.by_symbol[SYMBOL]
    moments = [(pick.randint(1, 3_000), pick.randint(0, 50)) for _ in range(20)]
    followers = [Follower(hub, SYMBOL.lower() + speed, joins, joins + waits) for joins, waits in moments]

    number = 0
    while state.seq < EVENTS:
        number += 1
        trading.run(1)
        for outcome in trading.stream.outcomes[done:]:
            publisher.live([state.apply(outcome)])
        done = len(trading.stream.outcomes)
        if pick.random() < 0.3:
            now_ms += 100
            publisher.tick(now_ms)
        for follower in followers:
            follower.step(number, state, view)
    for _ in range(20):
        now_ms += 100
        publisher.tick(now_ms)
    for follower in followers:
        follower.step(10**9, state, view)

    market = trading.stream.engine.markets[view.market.market_id]
    expected_bids = dict(level_texts(view.market, market.book.depth(1, 10**6)))
    expected_asks = dict(level_texts(view.market, market.book.depth(2, 10**6)))
    assert expected_bids or expected_asks
    for follower in followers:
        assert follower.book.applied > 10
        assert follower.book.bids == expected_bids
        assert follower.book.asks == expected_asks


def test_events_of_one_symbol_join_without_gaps_also_over_quiet_stretches() -> None:
    trading = RandomTrading(5)
    hub, state = Hub(), MarketState()
    publisher = StreamPublisher(state, hub, lambda: 0)
    trading.run(200)
    for outcome in trading.stream.outcomes:
        publisher.live([state.apply(outcome)])
    stream = HubClient(hub, "btcusdt@depth@100ms")
    publisher.tick(START_MS)
    publisher.tick(START_MS + 100)
    done = len(trading.stream.outcomes)
    for number in range(300):
        trading.run(1)
        publisher.live([state.apply(outcome) for outcome in trading.stream.outcomes[done:]])
        done = len(trading.stream.outcomes)
        publisher.tick(START_MS + 200 + number * 100)
    events = stream.take()
    assert len(events) > 50
    assert len(events) < 300, "a tick without a change of this symbol sends nothing"
    for before, after in pairwise(events):
        assert after["U"] == before["u"] + 1


def test_a_message_is_made_once_for_all_who_want_it_alike() -> None:
    hub = Hub()
    alike = [HubClient(hub, "btcusdt@trade") for _ in range(3)]
    wrapped = HubClient(hub, "btcusdt@trade", combined=True)
    made: list[int] = []

    def build(scale: int) -> bytes:
        made.append(scale)
        return b'{"e":"trade"}'

    hub.publish("btcusdt@trade", build)
    assert made == [1, 1]
    frames = {id(one.client._queue[0]) for one in alike}
    assert len(frames) == 1
    assert wrapped.take() == [{"stream": "btcusdt@trade", "data": {"e": "trade"}}]
