"""Promises of the books in memory."""

import pytest

from exchange.contracts import codes
from matching_engine.core.engine import Engine
from services.projections.book.state import BookError, Books
from tests.event_streams import RandomTrading


def engine_levels(engine: Engine, market_id: int, side: int) -> dict[int, int]:
    levels: dict[int, int] = {}
    for order in engine.markets[market_id].book.orders(side):
        levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.open_lots
    return levels


@pytest.mark.parametrize("seed", [11, 12])
def test_books_equal_the_engines_after_every_outcome(seed: int) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    books = Books()
    books.apply(trading.stream.outcomes)
    for _ in range(800):
        trading.run(1)
        books.apply(trading.stream.outcomes[-1:])
        for market_id, book in books.markets.items():
            assert book.bids == engine_levels(trading.stream.engine, market_id, codes.BUY)
            assert book.asks == engine_levels(trading.stream.engine, market_id, codes.SELL)
            if book.bids and book.asks:
                assert max(book.bids) < min(book.asks)


def test_touched_prices_carry_what_is_left_and_zero_for_what_is_gone() -> None:
    book = Books().add(1, "BTCUSDT")
    book.change(codes.BUY, 100, 5)
    book.change(codes.SELL, 101, 7)
    book.forget_touched()
    book.change(codes.BUY, 100, -5)
    book.change(codes.SELL, 101, -2)
    assert book.touched() == ({100: 0}, {101: 5})


def test_level_below_zero_stops_the_projection() -> None:
    book = Books().add(1, "BTCUSDT")
    book.change(codes.BUY, 100, 5)
    with pytest.raises(BookError):
        book.change(codes.BUY, 100, -6)
