"""The fast book against the naive one (invariant I9)."""

from collections import Counter

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import chain_hash
from exchange.contracts.commands import ActivateRules
from exchange.contracts.events import OrderClosed
from loadtest.bench.workload import Mischief
from matching_engine.core.book import Book
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.naive_book import NaiveBook
from matching_engine.core.order import Level
from tests.property.replay import SEED

CHECKED_EVERY = 250


def fields(event: object) -> bytes:
    return chain_hash(b"", 0, 0, 0, 0, 0, event)  # type: ignore[arg-type]


def check_levels(book: Book) -> None:
    """The ladders' own bookkeeping: keys sorted, levels linked, every queue linked and its lots summed up."""
    for ladder in (book.bids, book.asks):
        level, levels = ladder.best, list[Level]()
        keys = [level.key for level in ladder.levels()]
        assert keys == sorted(set(keys))
        while level is not None:
            levels.append(level)
            assert level.worse is None or level.worse.better is level
            level = level.worse
        assert levels == list(reversed(ladder.levels()))
        assert all(ladder.find(level.key) is level for level in levels)
        for level in levels:
            queue = queue_lots(level)
            assert level.lots == sum(queue) > 0
            assert level.count == len(queue)


def queue_lots(level: Level) -> list[int]:
    lots, order, before = [], level.head, None
    while order is not None:
        assert order.previous is before
        assert order.level is level
        lots.append(order.open_lots)
        before, order = order, order.next
    assert level.tail is before
    return lots


@pytest.mark.slow
@pytest.mark.parametrize("commands", [20_000, pytest.param(60_000, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("version", [1, 2])
def test_fast_book_and_naive_book_give_the_same_events(version: int, commands: int) -> None:
    print(f"SEED={SEED}")
    source = Mischief(SEED)
    bounds = EngineLimits(fills_per_command_max=3, open_orders_max=20)
    fast, naive = Engine(limits=bounds), Engine(NaiveBook, bounds)
    kinds: Counter[str] = Counter()
    cut = 0
    for position, command in enumerate([*source.setup(), *source.take(commands)]):
        if isinstance(command, ActivateRules):
            command.version = version
        now_ms = source.time_ms_of(position)
        events, expected = fast.apply(command, now_ms), naive.apply(command, now_ms)
        assert [fields(e) for e in events] == [fields(e) for e in expected], (
            f"SEED={SEED}: command {position} {type(command).__name__} differs"
        )
        kinds.update(type(event).__name__ for event in events)
        ended = [event for event in events if isinstance(event, OrderClosed)]
        cut += any(event.reason == codes.CLOSED_TOO_MANY_FILLS for event in ended)
        if position % CHECKED_EVERY == 0:
            check_invariants(fast)
            check_invariants(naive)
            for market_id, market in fast.markets.items():
                check_levels(market.book)
                for side in (codes.BUY, codes.SELL):
                    assert market.book.depth(side, 5) == naive.markets[market_id].book.depth(side, 5)
    # A workload that no longer trades, cancels or refuses would prove nothing.
    least = min(kinds[k] for k in ("OrderAccepted", "TradeExecuted", "OrderClosed", "CommandRejected"))
    assert least > commands // 12
    assert (cut > commands // 300) == (version == 2), f"{cut} orders met the bound"
